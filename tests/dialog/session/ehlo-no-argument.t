# EHLO needs a name (RFC 5321 4.1.1.1).
start: greeting

C: EHLO
S: 501
C: EHLO client.test
S: 250
