# RSET ends the transaction (RFC 5321 4.1.1.5).

tx
C: RSET
S: 250
C: DATA
S: 503
C: MAIL FROM:<sender@client.test>
S: 250
