# BDAT before EHLO is out of order, octets and all.
start: greeting

bdat: QUIT\r\n
S: 503
C: NOOP
S: 250
