# A second EHLO does not end the log-in.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
ehlo
C: MAIL FROM:<alice@example.test>
S: 250
