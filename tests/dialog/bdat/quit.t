# QUIT between chunks: no message.
delivered: 0

tx
chunk: Subject: {id}\r\n\r\nx\r\n
S: 250
C: QUIT
S: 221
closed
