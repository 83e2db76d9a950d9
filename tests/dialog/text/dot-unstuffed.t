# A line of a dot and more loses its dot even if the client forgot to double it (RFC 5321 4.5.2).
delivered: 1
body: a\r\n b\r\n

data
c: Subject: {id}\r\n\r\n.a\r\n. b\r\n.\r\n
S: 250
