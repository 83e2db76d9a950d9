# A connection that ends before the dot brings no message (RFC 5321 4.1.1.4).
delivered: 0

data
c: Subject: {id}\r\n\r\nhalf a mess
hangup
