# STARTTLS is offered in clear (RFC 3207 4).
modes: clear
start: greeting

C: EHLO client.test
S: 250
has: STARTTLS
