# Five hundred chunks of one octet.
delivered: 1
body: {x*500}\r\n

tx
chunk: Subject: {id}\r\n\r\n
S: 250
c*500: BDAT 1\r\nx
S*500: 250
bdat: \r\n
S: 250
