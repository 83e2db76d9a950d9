# No AUTH without TLS: not offered, and refused with 538 (RFC 4954 4, 6).
config: submission
listener: submission
modes: clear

C: EHLO c.test
S: 250
hasnot: AUTH.*
C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 538 5\.7\.11
starttls
ehlo
has: AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN
C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
