# RSET drops the chunks (RFC 3030 2).
delivered: 0

tx
chunk: Subject: {id}\r\n\r\n
S: 250
C: RSET
S: 250
bdat: rest\r\n
S: 503
C: NOOP
S: 250
