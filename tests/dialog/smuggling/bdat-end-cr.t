# A chunk that ends the message with a bare CR.
delivered: 0

tx
bdat: Subject: {id}\r\n\r\nfirst\r
S: 554
