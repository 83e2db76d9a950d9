# Received says UTF8SMTP for a message with SMTPUTF8 (RFC 6531 4.3).
modes: clear
delivered: 1
header: with UTF8SMTP

C: MAIL FROM:<sender@client.test> SMTPUTF8
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id} \xc3\xbc\r\n\r\nx\r\n.\r\n
S: 250
