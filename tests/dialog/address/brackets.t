# Paths stand in angle brackets (RFC 5321 4.1.2).

C: MAIL FROM:sender@client.test
S: 501
C: MAIL FROM:<sender@client.test
S: 501
C: MAIL FROM:sender@client.test>
S: 501
C: MAIL FROM:<<sender@client.test>>
S: 501|553
C: MAIL FROM:<sender@client.test>x
S: 501|555
