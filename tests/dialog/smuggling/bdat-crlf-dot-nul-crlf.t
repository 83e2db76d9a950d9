# CRLF, dot, NUL in a chunk: no end, and refused.
delivered: 0

tx
bdat: Subject: {id}\r\n\r\nfirst\r\n.\0\r\nMAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: {id} second\r\n\r\nsmuggled\r\n
S: 55[0-9]
silence
C: QUIT
S: 221
closed
