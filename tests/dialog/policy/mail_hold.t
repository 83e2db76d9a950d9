# Held messages are accepted and wait for an operator.
config: policy
delivered: 0

C: MAIL FROM:<held@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
C: From: held@client.test
C:
C: {id}
C: .
S: 250 2.0.0 Ok: queued as
