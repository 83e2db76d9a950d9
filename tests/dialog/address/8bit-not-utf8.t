# With SMTPUTF8 they have to be UTF-8 (RFC 6531 3.3).

C: MAIL FROM:<a\xff@client.test> SMTPUTF8
S: 5
C: MAIL FROM:<a\xc3@client.test> SMTPUTF8
S: 5
C: MAIL FROM:<a\xed\xa0\x80@client.test> SMTPUTF8
S: 5
C: MAIL FROM:<a\xc0\xaf@client.test> SMTPUTF8
S: 5
