# What was said before is forgotten: MAIL needs a new EHLO (RFC 3207 4.2).
modes: clear

starttls
C: MAIL FROM:<sender@client.test>
S: 503
ehlo
C: RCPT TO:<alice@example.test>
S: 503
