# MT-PRIORITY (RFC 6710).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test> MT-PRIORITY=3
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> MT-PRIORITY=-9
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> MT-PRIORITY=10
S: 501
C: MAIL FROM:<alice@example.test> MT-PRIORITY
S: 501
