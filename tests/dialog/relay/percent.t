# The per-cent trick reaches nobody.
config: refuse

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone%elsewhere.test@example.test>
S: 55
C: RCPT TO:<"someone%elsewhere.test">
S: 5
