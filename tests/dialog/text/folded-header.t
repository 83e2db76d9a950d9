# A header with folds and a line that looks like one more stays as it is.
delivered: 1
header: ^X-Fold: one\n\ttwo\n  three$
body: Received: not a header\r\n

data
c: Subject: {id}\r\nX-Fold: one\r\n\ttwo\r\n  three\r\n\r\nReceived: not a header\r\n.\r\n
S: 250
