# Recipients added and taken away at the end.
config: policy
delivered: 2

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C: X-Edit: rcpt
C:
C: {id}
C: .
S: 250
