# Too many Received fields are a loop (RFC 5321 6.3).
config: tight
delivered: 0

data
c: {Received: from a.test by b.test; Fri, 21 Nov 2025 10:00:00 +0000\r\n*11}Subject: {id}\r\n\r\nx\r\n.\r\n
S: 554 5\.4\.6
