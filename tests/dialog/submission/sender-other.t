# Others' addresses may not.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<bob@example.test>
S: 550 5\.7\.1 .*alice@example\.test
C: MAIL FROM:<x@elsewhere.test>
S: 550 5\.7\.1
C: MAIL FROM:<postmaster@example.test>
S: 550 5\.7\.1
