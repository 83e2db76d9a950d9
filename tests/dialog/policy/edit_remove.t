# All fields of a name go, also over several lines.
config: policy
delivered: 1
noheader: X-Secret
header: ^X-Edit: remove

data
C: From: sender@client.test
C: X-Secret: a
C:  b
C: X-Edit: remove
C: x-secret: c
C:
C: {id}
C: .
S: 250
