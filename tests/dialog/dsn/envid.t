# ENVID is xtext of at most 100 octets (RFC 3461 4.4).

C: MAIL FROM:<a@client.test> ENVID=QQ314159
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@client.test> ENVID=a+2Bb
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@client.test> ENVID={x*100}
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@client.test> ENVID={x*101}
S: 501
C: MAIL FROM:<a@client.test> ENVID=a+2
S: 501
C: MAIL FROM:<a@client.test> ENVID=a+0D+0Ab
S: 501
C: MAIL FROM:<a@client.test> ENVID=
S: 501
