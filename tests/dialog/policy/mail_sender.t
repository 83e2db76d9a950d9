# A rule gives the message another envelope sender.
config: policy
delivered: 1
sender: other@client.test

C: MAIL FROM:<renamed@client.test>
S: 250
C: RCPT TO:<user@relay.test>
S: 250
C: DATA
S: 354
C: From: renamed@client.test
C:
C: {id}
C: .
S: 250
