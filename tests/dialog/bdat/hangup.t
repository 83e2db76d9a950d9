# A connection that ends within a last chunk brings no message.
delivered: 0

tx
c: BDAT 1000 LAST\r\nSubject: {id}\r\n\r\nx\r\n
hangup
