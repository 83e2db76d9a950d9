# Dots mean nothing in a chunk; they are kept (RFC 3030 2).
delivered: 1
body: .\r\n..\r\n.x\r\nend\r\n

tx
bdat: Subject: {id}\r\n\r\n.\r\n..\r\n.x\r\nend\r\n
S: 250
