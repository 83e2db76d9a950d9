# BY= (RFC 2852).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test> BY=120;R
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> BY=120;RT
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> BY=-30;N
S: 250
C: RSET
S: 250
C: MAIL FROM:<alice@example.test> BY=0;R
S: 501
C: MAIL FROM:<alice@example.test> BY=60
S: 501
C: MAIL FROM:<alice@example.test> BY=60;X
S: 501
