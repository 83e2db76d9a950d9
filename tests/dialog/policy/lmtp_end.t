# LMTP: the verdict at the end is said for each recipient (RFC 2033 4.2).
config: policy
listener: lmtp
start: lhlo

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C: X-Test: end-refused
C:
C: x
C: .
S: 550 5.7.1 Now that I have seen it
S: 550 5.7.1 Now that I have seen it
tx
