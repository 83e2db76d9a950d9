# discard at rcpt concerns this recipient alone.
config: policy
delivered: 1

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<trap@example.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C:
C: {id}
C: .
S: 250
