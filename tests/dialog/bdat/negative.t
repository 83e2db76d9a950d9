# A negative size is no size.

tx
C: BDAT -1
S: 501
C: BDAT -1 LAST
S: 501
C: BDAT -9223372036854775808 LAST
S: 501
