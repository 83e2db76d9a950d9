# PLAIN with an initial response (RFC 4954 4, RFC 4616).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235 2\.7\.0
C: MAIL FROM:<alice@example.test>
S: 250
