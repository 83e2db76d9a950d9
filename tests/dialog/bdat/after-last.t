# After LAST the transaction is over (RFC 3030 2).
delivered: 1

tx
bdat: Subject: {id}\r\n\r\nx\r\n
S: 250
bdat: QUIT\r\n
S: 503
C: NOOP
S: 250
