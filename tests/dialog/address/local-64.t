# A local part of 64 octets is taken, one of 65 is not (RFC 5321 4.5.3.1.1).

C: MAIL FROM:<{a*64}@client.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<{a*65}@client.test>
S: 501|553
C: MAIL FROM:<"{a*65}"@client.test>
S: 501|553
