# The message limit counts what comes, exactly.
config: tight
delivered: 0

data
c: Subject: {id}\r\n\r\n{0123456789012345678901234567890123456789012345678901234567890123456789\r\n*300}.\r\n
S: 552 5\.3\.4
C: NOOP
S: 250
