# MAIL within a transaction is a bad sequence, and the transaction goes on (RFC 5321 4.1.4).

tx
C: MAIL FROM:<other@client.test>
S: 503
C: RCPT TO:<bob@example.test>
S: 250
