# PLAIN without an initial response: an empty challenge first (RFC 4954 4).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN
S: 334 $
C: AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
