# Nor is one with a plus.

tx
C: BDAT +0 LAST
S: 501
