# A discarding domain takes mail and keeps none.
delivered: 0

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<anyone@discard.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
