# accept at mail lifts all that follows for this message, and for no other.
config: policy
delivered: 1

C: MAIL FROM:<good@client.test>
S: 250
C: RCPT TO:<shy@example.test>
S: 250
C: DATA
S: 354
C: From: good@client.test
C: X-Test: refused
C:
C: {id}
C: .
S: 250
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<shy@example.test>
S: 550 5.7.1 Shy
