# HELP answers 214, with and without an argument (RFC 5321 4.1.1.8).

C: HELP
S: 214
C: HELP MAIL
S: 214
