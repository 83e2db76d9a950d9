# VRFY tells nothing: 252 (RFC 5321 3.5.3, 7.3).

C: VRFY alice@example.test
S: 252
C: VRFY nobody@example.test
S: 252
C: VRFY <alice@example.test>
S: 252
