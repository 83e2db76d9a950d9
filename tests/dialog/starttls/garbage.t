# What is not a handshake ends the session.
modes: clear

C: STARTTLS
S: 220
c: EHLO in.clear.test\r\n
never: 250
