# So are the messages of a session: 421 then (RFC 9422: MAILMAX).
config: tight

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<any@discard.test>
S: 250
C: DATA
S: 354
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<any@discard.test>
S: 250
C: DATA
S: 354
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<any@discard.test>
S: 250
C: DATA
S: 354
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
C: MAIL FROM:<sender@client.test>
S: 4[25]1|452
