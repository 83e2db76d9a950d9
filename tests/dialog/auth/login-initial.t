# LOGIN with the name as its initial response.
config: submission
listener: submission
modes: tls

C: AUTH LOGIN YWxpY2VAZXhhbXBsZS50ZXN0
S: 334 UGFzc3dvcmQ6$
C: d29uZGVybGFuZA==
S: 235
