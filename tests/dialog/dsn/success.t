# NOTIFY=SUCCESS brings a report to the sender (RFC 3461 5.2.3, RFC 3464).
delivered: 2

C: MAIL FROM:<bob@example.test> ENVID={id} RET=HDRS
S: 250
C: RCPT TO:<alice@example.test> NOTIFY=SUCCESS
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
