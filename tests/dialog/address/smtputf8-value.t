# SMTPUTF8 has no value (RFC 6531 3.4).

C: MAIL FROM:<a@client.test> SMTPUTF8=1
S: 501
C: MAIL FROM:<a@client.test> SMTPUTF8 SMTPUTF8
S: 501
