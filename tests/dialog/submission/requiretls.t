# REQUIRETLS as a parameter of MAIL (RFC 8689 3).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test> REQUIRETLS
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> REQUIRETLS=1
S: 501
