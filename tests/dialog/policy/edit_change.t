# A field is changed where it stands; one that is not there is added at the end.
config: policy
delivered: 1
header: ^From: sender@client.test\nSubject: changed\nX-Edit: change\nX-New: new

data
C: From: sender@client.test
C: Subject: as it
C:  was
C: X-Edit: change
C:
C: {id}
C: .
S: 250
