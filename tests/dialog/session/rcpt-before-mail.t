# RCPT needs MAIL (RFC 5321 3.3).

C: RCPT TO:<alice@example.test>
S: 503
