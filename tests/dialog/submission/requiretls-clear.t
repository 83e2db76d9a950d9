# REQUIRETLS is neither offered nor taken in clear (RFC 8689 2).
config: submission
listener: submission
modes: clear

C: EHLO c.test
S: 250
hasnot: REQUIRETLS
C: MAIL FROM:<a@client.test> REQUIRETLS
S: 530
