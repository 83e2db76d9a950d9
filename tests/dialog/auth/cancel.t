# An exchange is cancelled by a star (RFC 4954 4).
config: submission
listener: submission
modes: tls

C: AUTH LOGIN
S: 334
C: *
S: 501
C: AUTH PLAIN
S: 334
C: *
S: 501
C: NOOP
S: 250
