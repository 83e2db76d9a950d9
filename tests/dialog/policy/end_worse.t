# The answer to the message is the one of a rule at end (worse); nothing arrives, and the session goes on.
config: policy
delivered: 0

data
C: From: sender@client.test
C: X-Test: worse
C:
C: {id}
C: .
S: 550 5.7.1 This message was found too suspicious
tx
