# SIZE needs digits (RFC 1870 4).

C: MAIL FROM:<sender@client.test> SIZE=
S: 501
C: MAIL FROM:<sender@client.test> SIZE
S: 501
C: MAIL FROM:<sender@client.test> SIZE=12k
S: 501
C: MAIL FROM:<sender@client.test> SIZE=-1
S: 501
C: MAIL FROM:<sender@client.test> SIZE=1 SIZE=2
S: 501
