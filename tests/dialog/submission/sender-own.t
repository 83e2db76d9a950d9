# The own address and aliases that lead to it may be the sender (RFC 6409 6.1).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<Alice+news@EXAMPLE.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<info@example.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<team@example.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<>
S: 250
