# AUTH belongs behind EHLO.
config: submission
listener: submission
modes: tls

C: HELO c.test
S: 250
C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 503
