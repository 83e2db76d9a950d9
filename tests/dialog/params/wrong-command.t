# Parameters of RCPT are unknown to MAIL and the other way round.

C: MAIL FROM:<a@client.test> NOTIFY=NEVER
S: 555|501
C: MAIL FROM:<a@client.test>
S: 250
C: RCPT TO:<alice@example.test> SIZE=10
S: 555|501
C: RCPT TO:<alice@example.test> BODY=8BITMIME
S: 555|501
