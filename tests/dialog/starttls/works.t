# STARTTLS, then EHLO again inside (RFC 3207 4.2).
modes: clear
delivered: 1
header: with ESMTPS

starttls
ehlo
hasnot: STARTTLS
data
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
