# After DATA the transaction is over: BDAT needs a new one.

data
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
bdat: QUIT\r\n
S: 503
C: NOOP
S: 250
