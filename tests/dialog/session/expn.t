# EXPN tells nothing either (RFC 5321 3.5.2).

C: EXPN staff
S: (252|502|550)
