# RCPT needs TO: and a path.

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT
S: 501
C: RCPT TO:
S: 501
C: RCPT FROM:<alice@example.test>
S: 501
C: RCPT TO:alice@example.test
S: 501
C: RCPT TO:<alice@example.test
S: 501
