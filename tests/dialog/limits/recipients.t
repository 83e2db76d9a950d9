# At least 100 recipients are taken; one more than the limit is 452 4.5.3 (RFC 5321 4.5.3.1.8, .10).
config: tight

C: MAIL FROM:<sender@client.test>
S: 250
C*100: RCPT TO:<r{n}@discard.test>
S*100: 250
C: RCPT TO:<alice@example.test>
S: 452 4\.5\.3
C: DATA
S: 354
c: Subject: x\r\n\r\nx\r\n.\r\n
S: 250
