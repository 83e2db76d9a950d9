# The dot that was put before a line is taken off (RFC 5321 4.5.2).
delivered: 1
body: .\r\n..\r\n.a\r\n.a.\r\n. \r\n...\r\n

data
c: Subject: {id}\r\n\r\n..\r\n...\r\n..a\r\n..a.\r\n.. \r\n....\r\n.\r\n
S: 250
