# Base64 is taken strictly (RFC 4954 4).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN !!!!
S: 501 5\.5\.2
C: AUTH PLAIN AAA
S: 501 5\.5\.2
C: AUTH LOGIN
S: 334
C: a b=
S: 501 5\.5\.2
C: NOOP
S: 250
