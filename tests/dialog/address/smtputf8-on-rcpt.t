# SMTPUTF8 belongs to MAIL, not to RCPT.

C: MAIL FROM:<a@client.test>
S: 250
C: RCPT TO:<alice@example.test> SMTPUTF8
S: 555|501
