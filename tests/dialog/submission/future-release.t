# HOLDFOR and HOLDUNTIL (RFC 4865).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test> HOLDFOR=60
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> HOLDFOR=2592000
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> HOLDFOR=2592100
S: 501 5\.5\.4
C: MAIL FROM:<alice@example.test> HOLDFOR=0
S: 501
C: MAIL FROM:<alice@example.test> HOLDFOR=x
S: 501
C: MAIL FROM:<alice@example.test> HOLDUNTIL=2020-01-01T00:00:00Z
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> HOLDUNTIL=2999-01-01T00:00:00Z
S: 501 5\.5\.4
C: MAIL FROM:<alice@example.test> HOLDFOR=5 HOLDFOR=5
S: 501
C: MAIL FROM:<alice@example.test> HOLDFOR=5 HOLDUNTIL=2020-01-01T00:00:00Z
S: 501
