# A message in one last chunk (RFC 3030 2).
delivered: 1
body: hello\r\n

tx
bdat: Subject: {id}\r\n\r\nhello\r\n
S: 250
