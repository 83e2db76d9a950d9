# An account that is switched off is told so after the right password only.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGdvbmVAZXhhbXBsZS50ZXN0AGdvbmU=
S: 535 5\.7\.13
C: AUTH PLAIN AGdvbmVAZXhhbXBsZS50ZXN0AHg=
S: 535 5\.7\.8
C: AUTH PLAIN AHpvZUBjbG9zZWQudGVzdAB6b2U=
S: 535 5\.7\.13
