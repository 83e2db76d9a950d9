# A rule that only monitors changes nothing.
config: policy
delivered: 1

C: MAIL FROM:<watched@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
C: From: watched@client.test
C:
C: {id}
C: .
S: 250
