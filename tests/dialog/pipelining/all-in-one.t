# MAIL, RCPT, DATA in one packet; replies in order (RFC 2920 3.1).
delivered: 1

c: MAIL FROM:<sender@client.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 2\.1\.0
S: 250 2\.1\.5
S: 354
c: Subject: {id}\r\n\r\nhi\r\n.\r\n
S: 250
