# With SMTPUTF8 UTF-8 is taken in addresses (RFC 6531 3.3).
delivered: 1

C: MAIL FROM:<gr\xc3\xbc\xc3\x9fe@b\xc3\xbccher.test> SMTPUTF8
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id} gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n.\r\n
S: 250
