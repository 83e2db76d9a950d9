# Without NOTIFY=SUCCESS a delivery is not reported.
delivered: 1

C: MAIL FROM:<bob@example.test> ENVID={id}
S: 250
C: RCPT TO:<alice@example.test> NOTIFY=NEVER
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
