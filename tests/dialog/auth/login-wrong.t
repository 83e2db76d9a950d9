# LOGIN asks for a password also of a name that does not exist.
config: submission
listener: submission
modes: tls

C: AUTH LOGIN
S: 334
C: bm9ib2R5
S: 334 UGFzc3dvcmQ6$
C: eA==
S: 535 5\.7\.8
