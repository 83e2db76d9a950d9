# Zeros before a size are digits like others.

tx
c: BDAT 000018 LAST\r\nSubject: lower\r\n\r\n
S: 250
C: NOOP
S: 250
