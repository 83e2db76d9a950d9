# Nor is a line of a hundred thousand octets; one answer, at the end.
delivered: 0

data
c: Subject: {id}\r\n\r\n{x*100000}\r\n.\r\n
S: 5
silence
C: NOOP
S: 250
