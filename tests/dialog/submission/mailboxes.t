# Accounts and aliases of the directory are recipients; others are not.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: RCPT TO:<team@example.test>
S: 250
C: RCPT TO:<BOB+x@example.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550 5\.1\.1
C: RCPT TO:<gone@example.test>
S: 550 5\.2\.1
C: RCPT TO:<zoe@closed.test>
S: 550 5\.2\.1
C: RCPT TO:<x@elsewhere.test>
S: 250
