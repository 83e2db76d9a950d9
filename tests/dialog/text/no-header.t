# A text without a header is a message; it keeps its lines.
delivered: 1

data
c: \r\n{id} body only\r\n.\r\n
S: 250
