# A sub-address reaches its mailbox.
delivered: 1

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice+list@example.test>
S: 250
C: RCPT TO:<nobody+list@example.test>
S: 550
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
