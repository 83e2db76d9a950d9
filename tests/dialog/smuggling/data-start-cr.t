# A text that begins with CR, dot, CRLF.
delivered: 0

data
c: \r.\r\nRSET\r\n
silence
c: {id}\r\n.\r\n
S: 554
