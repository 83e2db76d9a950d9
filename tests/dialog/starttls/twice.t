# Inside TLS it is not offered and not taken.
modes: tls

C: STARTTLS
S: 50[0-3]
C: NOOP
S: 250
