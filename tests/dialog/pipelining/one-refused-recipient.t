# One bad recipient among good ones is refused alone.
delivered: 1

c: MAIL FROM:<sender@client.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n
S: 250
S: 250
S: 550
S: 354
c: Subject: {id}\r\n\r\nhi\r\n.\r\n
S: 250
