# A source route through us reaches nobody: the last address counts (RFC 5321 C).
config: refuse

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<@example.test:someone@elsewhere.test>
S: 5
C: RCPT TO:<@mx.example.test,@example.test:someone@elsewhere.test>
S: 5
