# Rules before an attempt decide about one recipient (its report goes to the postmaster); the others go on.
config: policy
delivered: 2

C: MAIL FROM:<>
S: 250
C: RCPT TO:<refused@relay.test>
S: 250
C: RCPT TO:<away@relay.test>
S: 250
C: RCPT TO:<good@relay.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C: X-Test: away-later
C:
C: {id}
C: .
S: 250
