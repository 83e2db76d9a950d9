# Octets behind a BDAT whose size cannot be read are no commands: the session ends (RFC 3030 2).
delivered: 0

tx
c: BDAT -6\r\nMAIL FROM:<x@example.org>\r\nRSET\r\nNOOP\r\n
S: 501
closed
