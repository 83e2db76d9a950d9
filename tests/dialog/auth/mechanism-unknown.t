# 504 for a mechanism that is not offered (RFC 4954 4).
config: submission
listener: submission
modes: tls

C: AUTH CRAM-MD5
S: 504 5\.5\.4
C: AUTH GSSAPI abc=
S: 504
C: AUTH
S: 501
C: AUTH PLAIN a b
S: 501
