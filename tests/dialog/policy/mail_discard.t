# A rule at mail discards: 250 to the end, and nothing arrives.
config: policy
delivered: 0

C: MAIL FROM:<away@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550 5.1.1
C: DATA
S: 354
C: From: away@client.test
C:
C: {id}
C: .
S: 250 2.0.0 Ok: queued as
tx
