# A second EHLO ends the transaction as RSET does (RFC 5321 4.1.4).

tx
C: EHLO client.test
S: 250
C: RCPT TO:<bob@example.test>
S: 503
C: DATA
S: 50
C: MAIL FROM:<sender@client.test>
S: 250
