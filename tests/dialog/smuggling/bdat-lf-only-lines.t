# lines ended by LF alone in a chunk: no end, and refused as in DATA.
delivered: 0

tx
bdat: Subject: {id}\r\n\r\nfirst\nline\n\n.\n\nMAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: {id} second\r\n\r\nsmuggled\r\n
S: 554 5\.6\.11
silence
C: QUIT
S: 221
closed
