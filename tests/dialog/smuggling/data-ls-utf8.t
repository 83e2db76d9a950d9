# line separator in UTF-8: text like any other, not the end; one message arrives.
delivered: 1

data
c: Subject: {id}\r\n\r\nfirst\xe2\x80\xa8.\xe2\x80\xa8MAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: {id} second\r\n\r\nsmuggled\r\n
silence
c: .\r\n
S: 250
silence
C: QUIT
S: 221
closed
