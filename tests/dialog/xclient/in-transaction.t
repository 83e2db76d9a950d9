# XCLIENT within a transaction is out of order.
config: xclient

tx
C: XCLIENT ADDR=192.0.2.7
S: 503
