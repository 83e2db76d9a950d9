# ... not as another one.
config: submission
listener: devices

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 535
