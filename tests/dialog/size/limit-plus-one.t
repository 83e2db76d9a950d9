# SIZE beyond the limit is refused at MAIL (RFC 1870 6.1).

C: MAIL FROM:<sender@client.test> SIZE=1048577
S: 552 5\.3\.4
C: MAIL FROM:<sender@client.test>
S: 250
