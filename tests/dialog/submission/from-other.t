# From of somebody else is refused at the end of the message.
config: submission
listener: submission
modes: tls
delivered: 0

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: Bob <bob@example.test>
C: Subject: {id}
C:
C: hello
C: .
S: 550 5\.7\.1 .*From
