# A refused EHLO leaves the transaction as it was (RFC 5321 4.1.4).

tx
C: EHLO
S: 501
C: RCPT TO:<bob@example.test>
S: 250
