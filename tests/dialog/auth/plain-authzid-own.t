# An authorization identity that is the own name is fine (RFC 4616 2).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN YWxpY2VAZXhhbXBsZS50ZXN0AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
