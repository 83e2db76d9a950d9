# A parameter is keyword or keyword=value (RFC 5321 4.1.2).

C: MAIL FROM:<a@client.test> =x
S: 50[14]|555
C: MAIL FROM:<a@client.test> -FOO=x
S: 50[14]|555
C: MAIL FROM:<a@client.test>SIZE=10
S: 50[14]|555
