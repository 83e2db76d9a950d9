# A wrong password and a name that does not exist get the same answer (RFC 4954 6).
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3cm9uZw==
S: 535 5\.7\.8 Authentication credentials invalid$
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=
S: 535 5\.7\.8 Authentication credentials invalid$
C: MAIL FROM:<alice@example.test>
S: 530 5\.7\.0
