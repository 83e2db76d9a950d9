# Fields that rules add stand before those of the message, below our trace.
config: policy
delivered: 1
header: ^Received: .*\nX-Second: two\nX-Added: one\nFrom: 

data
C: From: sender@client.test
C: X-Edit: add
C:
C: {id}
C: .
S: 250
