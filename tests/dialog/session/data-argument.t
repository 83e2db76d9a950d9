# DATA takes no argument (RFC 5321 4.1.1.4).

tx
C: DATA now
S: 501
C: DATA
S: 354
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
