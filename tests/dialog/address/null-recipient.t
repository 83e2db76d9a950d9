# A recipient is never null.

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<>
S: 50[01]|553
