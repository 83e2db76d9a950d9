# The same without RCPT.

C: MAIL FROM:<sender@client.test>
S: 250
bdat: RSET\r\nQUIT\r\n
S: 503|554
C: NOOP
S: 250
