# Text lines stay within 998 octets in chunks too, also across them.
delivered: 0

tx
chunk: Subject: {id}\r\n\r\n{x*600}
S: 250
bdat: {x*399}\r\n
S: 5
C: NOOP
S: 250
