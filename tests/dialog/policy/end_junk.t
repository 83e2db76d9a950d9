# The score marks a message from policy.score-junk on.
config: policy
delivered: 1
header: ^X-Spam-Flag: YES\nX-Spam-Score: 7\.00$

data
C: From: sender@client.test
C: X-Test: junk
C:
C: {id}
C: .
S: 250
