# NOTIFY is NEVER or a list of SUCCESS, FAILURE, DELAY (RFC 3461 4.1).

C: MAIL FROM:<a@client.test>
S: 250
C: RCPT TO:<alice@example.test> NOTIFY=NEVER
S: 250
C: RCPT TO:<alice@example.test> NOTIFY=SUCCESS,FAILURE,DELAY
S: 250
C: RCPT TO:<alice@example.test> notify=delay
S: 250
C: RCPT TO:<alice@example.test> NOTIFY=NEVER,SUCCESS
S: 501
C: RCPT TO:<alice@example.test> NOTIFY=SUCCESS,
S: 501
C: RCPT TO:<alice@example.test> NOTIFY=ALWAYS
S: 501
C: RCPT TO:<alice@example.test> NOTIFY=
S: 501
C: RCPT TO:<alice@example.test> NOTIFY
S: 501
C: RCPT TO:<alice@example.test> NOTIFY=NEVER NOTIFY=NEVER
S: 501
