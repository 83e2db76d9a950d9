# VRFY needs an argument (RFC 5321 4.1.1.6).

C: VRFY
S: 501
