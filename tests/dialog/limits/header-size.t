# A header beyond its limit is refused at the end.
config: tight
delivered: 0

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n
c: {X-Filler: 0123456789012345678901234567890123456789012345678901234567890\r\n*70}
c: \r\nbody\r\n.\r\n
S: 5
C: NOOP
S: 250
