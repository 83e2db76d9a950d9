# EHLO may give an address literal (RFC 5321 4.1.3).
start: greeting

C: EHLO [127.0.0.1]
S: 250
C: EHLO [IPv6:2001:db8::1]
S: 250
