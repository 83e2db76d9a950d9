# Refused tokens are failed log-ins.
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER bixhPWFsaWNlQGV4YW1wbGUudGVzdCwBaG9zdD1tYWlsLmV4YW1wbGUudGVzdAFwb3J0PTU4NwFhdXRoPQEB
S: 334
C: AQ==
S: 535 5\.7\.8
C: AUTH OAUTHBEARER bixhPWFsaWNlQGV4YW1wbGUudGVzdCwBaG9zdD1tYWlsLmV4YW1wbGUudGVzdAFwb3J0PTU4NwFhdXRoPQEB
S: 334
C: AQ==
S: 535 5\.7\.8
C: AUTH OAUTHBEARER bixhPWFsaWNlQGV4YW1wbGUudGVzdCwBaG9zdD1tYWlsLmV4YW1wbGUudGVzdAFwb3J0PTU4NwFhdXRoPQEB
S: 421 4\.7\.0
closed
