# Without an initial response the challenge is empty.
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER
S: 334 $
C: bixhPWFsaWNlQGV4YW1wbGUudGVzdCwBaG9zdD1tYWlsLmV4YW1wbGUudGVzdAFwb3J0PTU4NwFhdXRoPQEB
S: 334
C: AQ==
S: 535 5\.7\.8
C: AUTH XOAUTH2
S: 334 $
C: *
S: 501 5\.7\.0
