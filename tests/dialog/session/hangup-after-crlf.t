# Nor one that ends in CRLF without the dot, or with a dot without its CRLF.
delivered: 0

data
c: Subject: {id}\r\n\r\nhalf a message\r\n.
wait
hangup
