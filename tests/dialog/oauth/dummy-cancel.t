# The dummy may be a cancellation, too (RFC 4954 4).
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER bixhPWFsaWNlQGV4YW1wbGUudGVzdCwBaG9zdD1tYWlsLmV4YW1wbGUudGVzdAFwb3J0PTU4NwFhdXRoPQEB
S: 334
C: *
S: 501 5\.7\.0
C: NOOP
S: 250
