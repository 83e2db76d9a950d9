# A rule behind the header (end-jail): 250, and nothing is delivered.
config: policy
delivered: 0

data
C: From: sender@client.test
C: X-Test: end-jail
C:
C: {id}
C: .
S: 250 2.0.0 Ok: queued as
