# BODY has three values (RFC 6152 3, RFC 3030 3).

C: MAIL FROM:<sender@client.test> BODY=9BIT
S: 501
C: MAIL FROM:<sender@client.test> BODY=
S: 501
C: MAIL FROM:<sender@client.test> BODY
S: 501
C: MAIL FROM:<sender@client.test> body=8bitmime
S: 250
