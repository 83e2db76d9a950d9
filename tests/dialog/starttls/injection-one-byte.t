# One octet is enough.
modes: clear

c: STARTTLS\r\nX
never: 250
