# A message without its NULs is malformed.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN YWxpY2U=
S: 501 5\.5\.2
C: AUTH PLAIN =
S: 501 5\.5\.2
