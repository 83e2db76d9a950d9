# A small SIZE does not let a large text in.
delivered: 0

C: MAIL FROM:<sender@client.test> SIZE=100
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\n
c: {0123456789012345678901234567890123456789012345678901234567890\r\n*17000}
c: .\r\n
S: 552
