# redirect at rcpt: another recipient instead of this one.
config: policy
delivered: 1

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<old@example.test>
S: 250
C: RCPT TO:<carol@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C:
C: {id}
C: .
S: 250
