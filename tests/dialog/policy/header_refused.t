# The answer to the message is the one of a rule at header (refused); nothing arrives, and the session goes on.
config: policy
delivered: 0

data
C: From: sender@client.test
C: X-Test: refused
C:
C: {id}
C: .
S: 550 5.7.1 That header
tx
