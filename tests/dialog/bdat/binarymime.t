# BODY=BINARYMIME: any octet may come, in BDAT (RFC 3030 3).

C: MAIL FROM:<sender@client.test> BODY=BINARYMIME
S: 250
C: RCPT TO:<alice@example.test>
S: 250
bdat: MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\rc\nd\xff{z*2000}
S: 250
C: NOOP
S: 250
