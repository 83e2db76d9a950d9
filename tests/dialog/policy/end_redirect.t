# redirect at the end: everything goes to one recipient instead.
config: policy
delivered: 1

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C: X-Test: end-redirect
C:
C: {id}
C: .
S: 250
