# A message that does not end in CRLF is taken (RFC 3030 3: the octets are the sender's).
delivered: 1

tx
bdat: Subject: {id}\r\n\r\nno end
S: 250
