# Another body for a message that lay in chunks already.
config: policy
delivered: 1
body: Removed here.\r\n

data
C: From: sender@client.test
C: X-Edit: body-large
C: X-Word: {id}
C:
C*1200: {x*900}
C: .
S: 250
