# Unknown parameters are 555 (RFC 5321 4.1.1.11).

C: MAIL FROM:<a@client.test> FOO=bar
S: 555
C: MAIL FROM:<a@client.test> FOO
S: 555
C: MAIL FROM:<a@client.test>
S: 250
C: RCPT TO:<alice@example.test> FOO=bar
S: 555
C: RCPT TO:<alice@example.test>
S: 250
