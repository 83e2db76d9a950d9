# A line of an exchange may have 12288 octets (RFC 4954 4); a longer one ends it with 500 5.5.6.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN
S: 334
C: {A*13000}
S: 500 5\.5\.6
C: NOOP
S: 250
