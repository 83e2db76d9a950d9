# Blanks at the end of a command line are ignored (RFC 5321 4.1.1).

c: NOOP   \r\n
S: 250
c: RSET \r\n
S: 250
c: MAIL FROM:<sender@client.test>  \r\n
S: 250
c: RCPT TO:<alice@example.test> \r\n
S: 250
c: DATA \r\n
S: 354
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
