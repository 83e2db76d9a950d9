# Passwords stay good beside tokens.
config: oauth
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
