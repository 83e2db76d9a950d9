# The text, the next transaction and QUIT in one packet (RFC 2920 3.1).
delivered: 2

data
c: Subject: {id}\r\n\r\none\r\n.\r\nMAIL FROM:<sender@client.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250
S: 250
S: 250
S: 354
c: Subject: {id}\r\n\r\ntwo\r\n.\r\nQUIT\r\n
S: 250
S: 221
closed
