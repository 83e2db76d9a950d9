# BDAT 0 LAST alone is an empty message.

tx
C: BDAT 0 LAST
S: 250
C: NOOP
S: 250
