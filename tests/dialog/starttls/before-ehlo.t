# STARTTLS before EHLO works or is refused; the session goes on (RFC 3207 4).
modes: clear
start: greeting

C: STARTTLS
S: 220|503
