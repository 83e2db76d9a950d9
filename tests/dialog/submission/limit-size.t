# The size of an account's messages: announced, and as it comes.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGVyaW5AZXhhbXBsZS50ZXN0AGVyaW4ncw==
S: 235
C: MAIL FROM:<erin@example.test> SIZE=2001
S: 552 5\.3\.4 .*2000
C: MAIL FROM:<erin@example.test> SIZE=2000
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: Subject: {id}
C:
C*30: {x*78}
C: .
S: 552 5\.3\.4
