# dots behind vertical tab: text like any other, not the end; one message arrives.
delivered: 1

data
c: Subject: {id}\r\n\r\nfirst\x0b.\x0bMAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: {id} second\r\n\r\nsmuggled\r\n
silence
c: .\r\n
S: 250
silence
C: QUIT
S: 221
closed
