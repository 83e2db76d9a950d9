# SIZE at the limit is taken (RFC 1870 6.1).

C: MAIL FROM:<sender@client.test> SIZE=1048576
S: 250
