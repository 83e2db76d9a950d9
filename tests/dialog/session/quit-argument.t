# QUIT takes no argument (RFC 5321 4.1.1.10).

C: QUIT now
S: 501
C: NOOP
S: 250
