# The same for recipients.

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@@example.test>
S: 501|553|550
C: RCPT TO:<alice@bob@example.test>
S: 501|553|550
C: RCPT TO:<@example.test>
S: 501|553|550
C: RCPT TO:<alice@>
S: 501|553|550
