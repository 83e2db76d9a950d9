# Any other name needs a domain.

C: MAIL FROM:<sender>
S: 50[01]|553
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice>
S: 50[01]|55[0-9]
