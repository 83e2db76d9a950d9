# BDAT and LAST are read in any case.

tx
c: bdat 18\r\nSubject: lower\r\n\r\n
S: 250
c: bDaT 3 last\r\nx\r\n
S: 250
C: NOOP
S: 250
