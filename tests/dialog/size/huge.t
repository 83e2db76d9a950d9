# A size beyond 64 bits is a size beyond the limit (RFC 1870 4: up to 20 digits).

C: MAIL FROM:<sender@client.test> SIZE=99999999999999999999
S: 552
C: MAIL FROM:<sender@client.test> SIZE=18446744073709551616
S: 552
C: MAIL FROM:<sender@client.test> SIZE=4294967296
S: 552
