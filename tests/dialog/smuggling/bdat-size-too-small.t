# A chunk that is longer than it says: the rest are commands, and only that.
delivered: 0

tx
c: BDAT 5\r\nhelloQUIT\r\n
S: 250
S: 221
closed
