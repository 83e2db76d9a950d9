# DATA after BDAT is 503 (RFC 3030 2).

tx
chunk: Subject: x\r\n
S: 250
C: DATA
S: 503
