# redirect behind rcpt: everything goes to one recipient instead.
config: policy
delivered: 1

C: MAIL FROM:<redirect@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: redirect@client.test
C:
C: {id}
C: .
S: 250
