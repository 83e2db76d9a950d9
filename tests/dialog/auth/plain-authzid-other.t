# Nobody may act as somebody else.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN Ym9iQGV4YW1wbGUudGVzdABhbGljZUBleGFtcGxlLnRlc3QAd29uZGVybGFuZA==
S: 535 5\.7\.8
