# A source route is read and ignored (RFC 5321 3.3, appendix C).
delivered: 1

C: MAIL FROM:<@one.test,@two.test:sender@client.test>
S: 250
C: RCPT TO:<@one.test,@two.test:alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
