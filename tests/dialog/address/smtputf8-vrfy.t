# VRFY takes SMTPUTF8 as a parameter (RFC 6531 3.7.4.2).

C: VRFY \xc3\xbc@example.test SMTPUTF8
S: 252|55[03]
C: VRFY alice@example.test SMTPUTF8
S: 252
