# NUL has no place in mail (RFC 5322 2.2 and 4, RFC 6152 2): refused at the end.
delivered: 0

data
c: Subject: {id}\r\n\r\na\0b\r\n.\r\n
S: 5
C: NOOP
S: 250
