# Nor does a bare CR.

c: NOOP\rNOOP\r\n
S: 500
silence
C: NOOP
S: 250
