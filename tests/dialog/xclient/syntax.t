# Attributes are NAME=value, and an address is one.
config: xclient

C: XCLIENT ADDR
S: 501
C: XCLIENT ADDR=nonsense
S: 501
C: XCLIENT FOO=bar
S: 501
C: NOOP
S: 250
