# A text that begins with LF.CRLF.
delivered: 0

data
c: \n.\r\nRSET\r\n
silence
c: {id}\r\n.\r\n
S: 554
