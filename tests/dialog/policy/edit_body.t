# Another body: the header stays, the body is the rule's.
config: policy
delivered: 1
body: Removed here.\r\n
header: ^X-Word: case

data
C: From: sender@client.test
C: X-Edit: body
C: X-Word: {id}
C:
C: something else
C: ..
C: .
S: 250
