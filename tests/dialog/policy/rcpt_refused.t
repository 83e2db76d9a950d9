# Rules at rcpt answer for one recipient; the others get the message.
config: policy
delivered: 1

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<shy@example.test>
S: 550 5.7.1 Shy
C: RCPT TO:<busy@example.test>
S: 451 4.7.1 Busy
C: RCPT TO:<nobody@example.test>
S: 550 5.1.1
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C:
C: {id}
C: .
S: 250
