# A limit is named when it is reached; what was sent before stays sent.
config: submission
listener: submission
delivered: 2
modes: tls

C: AUTH PLAIN AGRhdmVAZXhhbXBsZS50ZXN0AGRhdmUncw==
S: 235
C: MAIL FROM:<dave@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: Subject: {id}
C:
C: hello
C: .
S: 250
C: MAIL FROM:<dave@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: Subject: {id}
C:
C: hello
C: .
S: 250
C: MAIL FROM:<dave@example.test>
S: 450 4\.7\.1 .*2 messages an hour.*dave@example\.test
