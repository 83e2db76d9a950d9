# The answer to the message is the one of a rule at header (deferred); nothing arrives, and the session goes on.
config: policy
delivered: 0

data
C: From: sender@client.test
C: X-Test: deferred
C:
C: {id}
C: .
S: 451 4.7.1 That header
tx
