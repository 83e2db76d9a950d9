# An alias reaches every address behind it.
delivered: 2

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<info@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
