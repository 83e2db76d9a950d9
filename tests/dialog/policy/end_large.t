# Size is what was received, in chunks of the spool, too.
config: policy
delivered: 0

data
C: From: sender@client.test
C:
C*3000: {x*990}
C: {id}
C: .
S: 552 5.3.4 Large
