# A rule behind the header (away): 250, and nothing is delivered.
config: policy
delivered: 0

data
C: From: sender@client.test
C: X-Test: away
C:
C: {id}
C: .
S: 250 2.0.0 Ok: queued as
