# STARTTLS is not offered inside TLS (RFC 3207 4.2).
modes: tls
start: greeting

C: EHLO client.test
S: 250
hasnot: STARTTLS
