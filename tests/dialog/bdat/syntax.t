# BDAT has a size in digits and perhaps LAST (RFC 3030 2).

C: BDAT
S: 501
C: BDAT x
S: 501
C: BDAT LAST
S: 501
C: BDAT 5x
S: 501
C: BDAT 0x5
S: 501
