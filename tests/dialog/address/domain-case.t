# Domains are compared without case (RFC 5321 2.4).

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@EXAMPLE.Test>
S: 250
