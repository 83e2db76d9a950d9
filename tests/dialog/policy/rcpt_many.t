# The number of recipients is a fact, this one counted, those refused not.
config: policy

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<shy@example.test>
S: 550
C: RCPT TO:<bob@example.test>
S: 250
C: RCPT TO:<carol@example.test>
S: 250
C: RCPT TO:<postmaster@example.test>
S: 452 4.5.3 No more than three
