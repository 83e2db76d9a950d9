# BODY=8BITMIME: octets above 127 are kept (RFC 6152).
delivered: 1
body: gr\xc3\xbc\xc3\x9f dich \xff\r\n

C: MAIL FROM:<sender@client.test> BODY=8BITMIME
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\ngr\xc3\xbc\xc3\x9f dich \xff\r\n.\r\n
S: 250
