# A message in several chunks; a CRLF may lie across two.
delivered: 1
body: hello\r\nworld\r\n

tx
chunk: Subject: {id}\r\n\r\nhel
S: 250
chunk: lo\r
S: 250
chunk: \nworld\r\n
S: 250
C: BDAT 0 LAST
S: 250
