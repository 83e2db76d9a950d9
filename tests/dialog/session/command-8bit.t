# Octets above 127 in a verb are refused.

c: N\xc3\xb6OP\r\n
S: 500
c: \xff\xfe\xfd\r\n
S: 500
C: NOOP
S: 250
