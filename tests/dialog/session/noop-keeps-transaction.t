# NOOP, HELP and VRFY leave the transaction alone (RFC 5321 4.1.1.9, 4.1.4).

tx
C: NOOP
S: 250
C: HELP
S: 214
C: VRFY alice@example.test
S: 252
C: RCPT TO:<bob@example.test>
S: 250
