# RET is FULL or HDRS (RFC 3461 4.3).

C: MAIL FROM:<a@client.test> RET=FULL
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@client.test> RET=HDRS
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@client.test> RET=SOME
S: 501
C: MAIL FROM:<a@client.test> RET=
S: 501
C: MAIL FROM:<a@client.test> RET=FULL RET=HDRS
S: 501
