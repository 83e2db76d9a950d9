# MAIL and RCPT between chunks are out of order (RFC 3030 2).

tx
chunk: Subject: x\r\n
S: 250
C: MAIL FROM:<other@client.test>
S: 503
C: RCPT TO:<bob@example.test>
S: 503
