# BODY=7BIT is a parameter of 8BITMIME (RFC 6152 3).
delivered: 1

C: MAIL FROM:<sender@client.test> BODY=7BIT
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nplain\r\n.\r\n
S: 250
