# Addresses with octets above 127 need SMTPUTF8 (RFC 6531 3.5).

C: MAIL FROM:<gr\xc3\xbc\xc3\x9fe@client.test>
S: 55[03] 5\.6\.7
C: MAIL FROM:<a@b\xc3\xbccher.test>
S: 55[03] 5\.6\.7
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<\xc3\xbc@example.test>
S: 55[03] 5\.6\.7
C: RCPT TO:<alice@example.test>
S: 250
