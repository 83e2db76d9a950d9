# Replies carry enhanced status codes (RFC 2034), but for the greeting, EHLO, HELO and 354.

C: NOOP
S: 250 2\.0\.0
C: MAIL FROM:<sender@client.test>
S: 250 2\.1\.0
C: RCPT TO:<alice@example.test>
S: 250 2\.1\.5
C: RCPT TO:<nobody@example.test>
S: 550 5\.1\.1
C: DATA
S: 354 [^0-9]
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250 2\.[0-9]\.0
C: QUIT
S: 221 2\.0\.0
