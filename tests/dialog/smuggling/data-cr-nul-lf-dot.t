# CR NUL LF does not end a text, and NUL has no place in one.
delivered: 0

data
c: Subject: {id}\r\n\r\nfirst\r\0\n.\r\0\nMAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: {id} second\r\n\r\nsmuggled\r\n
silence
c: .\r\n
S: 55[0-9]
silence
C: QUIT
S: 221
closed
