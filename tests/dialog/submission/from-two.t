# Two addresses in From: both must be the account's.
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
C: From: alice@example.test, bob@example.test
C: Sender: alice@example.test
C: Subject: {id}
C:
C: hello
C: .
S: 550 5\.7\.1
