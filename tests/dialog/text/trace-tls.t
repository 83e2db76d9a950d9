# Received says ESMTPS inside TLS (RFC 3848).
modes: tls
delivered: 1
header: with ESMTPS

data
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
