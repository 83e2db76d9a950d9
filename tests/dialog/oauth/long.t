# AUTH with its initial response may have 12288 octets (RFC 4954 4), other commands may not.
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER {A*12000}
S: 501 5\.5\.2
C: NOOP {A*5000}
S: 500 5\.5\.2
C: AUTH OAUTHBEARER {A*12300}
S: 500 5\.5\.2
C: NOOP
S: 250
