# A longer one is refused, not cut and not split.
delivered: 0

data
c: Subject: {id}\r\n\r\n{x*999}\r\n.\r\n
S: 5
C: NOOP
S: 250
