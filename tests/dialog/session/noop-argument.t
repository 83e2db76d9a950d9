# NOOP takes an argument and ignores it (RFC 5321 4.1.1.9).

C: NOOP
S: 250
C: NOOP these words mean nothing
S: 250
