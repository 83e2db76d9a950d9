# Nor are blanks.

c:    \r\n
S: 500
C: NOOP
S: 250
