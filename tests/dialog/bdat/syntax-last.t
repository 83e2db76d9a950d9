# Only LAST may follow the size.

tx
C: BDAT 0 FIRST
S: 501
C: BDAT 0 LAST x
S: 501
