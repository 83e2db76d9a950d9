# Dots in a local part stand between atoms (RFC 5321 4.1.2).

C: MAIL FROM:<.a@client.test>
S: 501|553
C: MAIL FROM:<a.@client.test>
S: 501|553
C: MAIL FROM:<a..b@client.test>
S: 501|553
C: MAIL FROM:<a.b.c@client.test>
S: 250
