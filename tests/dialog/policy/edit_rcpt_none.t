# When no recipient is left nothing is delivered.
config: policy
delivered: 0

data
C: From: sender@client.test
C: X-Edit: none
C:
C: {id}
C: .
S: 250
