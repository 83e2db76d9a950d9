# QUIT within a transaction drops it (RFC 5321 4.1.1.10).
delivered: 0

tx
C: QUIT
S: 221
closed
