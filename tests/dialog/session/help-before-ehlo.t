# HELP is allowed before EHLO (RFC 5321 4.1.4).
start: greeting

C: HELP
S: 214
C: VRFY alice@example.test
S: 252
