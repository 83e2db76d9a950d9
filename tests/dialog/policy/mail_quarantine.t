# Quarantined messages are accepted and wait for an operator.
config: policy
delivered: 0

C: MAIL FROM:<jail@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
C: From: jail@client.test
C:
C: {id}
C: .
S: 250 2.0.0 Ok: queued as
