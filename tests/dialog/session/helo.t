# HELO gets one line and no extensions (RFC 5321 4.1.1.1).
start: greeting

C: HELO client.test
S: 250 mx\.example\.test[^\n]*$
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nhello\r\n.\r\n
S: 250
