# The condition may look at the header; here all recipients are decided about.
config: policy
delivered: 0

C: MAIL FROM:<>
S: 250
C: RCPT TO:<away@relay.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C: X-Test: away-later
C:
C: {id}
C: .
S: 250
