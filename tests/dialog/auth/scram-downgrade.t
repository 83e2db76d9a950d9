# A client that thinks that there is no channel binding was lied to (RFC 5802 6).
config: submission
listener: submission
modes: tls

C: AUTH SCRAM-SHA-256 eSwsbj1hbGljZUBleGFtcGxlLnRlc3Qscj1hYmNkZWY=
S: 5\d\d
