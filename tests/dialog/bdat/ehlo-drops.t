# EHLO drops them too.
delivered: 0

tx
chunk: Subject: {id}\r\n\r\n
S: 250
ehlo
bdat: rest\r\n
S: 503
