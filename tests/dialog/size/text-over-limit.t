# A text beyond the limit is read to its end, refused, and the session goes on (RFC 1870 6.3).
delivered: 0

data
c: Subject: {id}\r\n\r\n
c: {0123456789012345678901234567890123456789012345678901234567890\r\n*17000}
c: .\r\n
S: 552 5\.3\.4
C: NOOP
S: 250
data
c: Subject: x\r\n\r\nafter it\r\n.\r\n
S: 250
