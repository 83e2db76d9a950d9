# STARTTLS takes no argument (RFC 3207 4).
modes: clear

C: STARTTLS now
S: 501
C: NOOP
S: 250
