# Mail for others is not relayed: 550 or 554 5.7.1 (RFC 5321 7.1... and common sense).
config: refuse

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 55[04] 5\.7\.1
C: RCPT TO:<alice@example.test>
S: 250
