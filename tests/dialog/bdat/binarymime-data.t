# BINARYMIME and DATA do not go together: 503 (RFC 3030 3).

C: MAIL FROM:<sender@client.test> BODY=BINARYMIME
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 503
bdat: Subject: x\r\n\r\nx\r\n
S: 250
