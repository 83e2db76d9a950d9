# Other control characters pass.
delivered: 1
body: a\x01\x08\x0b\x0c\x1b\x7fb\r\n

data
c: Subject: {id}\r\n\r\na\x01\x08\x0b\x0c\x1b\x7fb\r\n.\r\n
S: 250
