# The null sender (RFC 5321 4.5.5).

C: MAIL FROM:<>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
