# Text lines of 998 octets are taken (RFC 5321 4.5.3.1.6), a doubled dot not counted (4.5.2).
delivered: 1
body: {x*998}\r\n{.*998}\r\n

data
c: Subject: {id}\r\n\r\n{x*998}\r\n.{.*998}\r\n.\r\n
S: 250
