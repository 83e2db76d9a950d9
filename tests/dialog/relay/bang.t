# Bang paths reach nobody.
config: refuse

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<elsewhere.test!someone@example.test>
S: 55
C: RCPT TO:<elsewhere.test!someone>
S: 5
