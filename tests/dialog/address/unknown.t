# Unknown mailboxes are refused at RCPT (550 5.1.1).

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550 5\.1\.1
C: RCPT TO:<alice.@example.test>
S: 5
C: RCPT TO:<carol@example.test>
S: 550 5\.1\.1
C: RCPT TO:<carol@other.test>
S: 250
