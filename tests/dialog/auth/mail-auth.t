# MAIL takes AUTH= (RFC 4954 5).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test> AUTH=<>
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> AUTH=alice@example.test
S: 250
