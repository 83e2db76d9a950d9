# A message without From gets the sender's.
config: submission
listener: submission
modes: tls
delivered: 1
header: ^From: <alice@example\.test>

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: Subject: {id}
C:
C: hello
C: .
S: 250
