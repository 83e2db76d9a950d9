# CRLF, dot, and then more in the next packet is not the end.
delivered: 1
body: x\r\ny\r\n

data
c: Subject: {id}\r\n\r\nx\r\n.
wait
c: y\r\n.\r\n
S: 250
