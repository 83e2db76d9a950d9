# A label beyond ASCII has to be a U-label in MAIL, too (RFC 6531 3.3): here a line separator.

c: MAIL FROM:<a@b\xe2\x80\xa8c.example> SMTPUTF8\r\n
S: 501 5.1.7
c: MAIL FROM:<a@b\xc3\xbcc.example> SMTPUTF8\r\n
S: 250
