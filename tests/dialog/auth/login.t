# LOGIN asks for name and password.
config: submission
listener: submission
modes: tls

C: AUTH LOGIN
S: 334 VXNlcm5hbWU6$
C: YWxpY2VAZXhhbXBsZS50ZXN0
S: 334 UGFzc3dvcmQ6$
C: d29uZGVybGFuZA==
S: 235
