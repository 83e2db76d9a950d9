# MAIL before EHLO or HELO is a bad sequence (RFC 5321 4.1.4).
start: greeting

C: MAIL FROM:<sender@client.test>
S: 503
C: EHLO client.test
S: 250
C: MAIL FROM:<sender@client.test>
S: 250
