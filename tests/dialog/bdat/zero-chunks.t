# Chunks of nothing count for nothing.
delivered: 1
body: x\r\n

tx
C: BDAT 0
S: 250
chunk: Subject: {id}\r\n\r\n
S: 250
C: BDAT 0
S: 250
bdat: x\r\n
S: 250
