# The limit counts in the header too.
delivered: 0

data
c: Subject: {id}\r\nX-Long: {x*991}\r\n\r\nbody\r\n.\r\n
S: 5
