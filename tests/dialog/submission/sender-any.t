# With the permission any-sender: the whole domain, no other.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGNhcm9sQGV4YW1wbGUudGVzdABjYXJvbCdz
S: 235
C: MAIL FROM:<bob@example.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<whoever@example.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<x@other.test>
S: 550 5\.7\.1
