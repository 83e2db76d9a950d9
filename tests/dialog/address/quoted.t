# A quoted local part means the same as the unquoted one (RFC 5321 4.1.2).
delivered: 1

C: MAIL FROM:<"sen der"@client.test>
S: 250
C: RCPT TO:<"alice"@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
