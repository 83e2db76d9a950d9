# RSET is allowed at any time (RFC 5321 4.1.1.5, 4.1.4).
start: greeting

C: RSET
S: 250
C: NOOP
S: 250
C: QUIT
S: 221
closed
