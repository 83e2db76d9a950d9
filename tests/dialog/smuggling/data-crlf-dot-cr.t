# CRLF.CR does not end a text; a bare CR or LF is refused at the true end (RFC 5321 2.3.8, 4.1.1.4).
delivered: 0

data
c: Subject: {id}\r\n\r\nfirst\r\n.\rMAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: {id} second\r\n\r\nsmuggled\r\n
silence
c: .\r\n
S: 554 5\.6\.11
silence
C: QUIT
S: 221
closed
