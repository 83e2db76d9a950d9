# <postmaster> without a domain, in any case (RFC 5321 4.5.1, 2.3.5).

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<postmaster>
S: 250
C: RCPT TO:<Postmaster>
S: 250
C: RCPT TO:<POSTMASTER@example.test>
S: 250
C: RCPT TO:<postmaster@EXAMPLE.test>
S: 250
