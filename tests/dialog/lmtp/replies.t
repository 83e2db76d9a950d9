# One reply per recipient that was taken (RFC 2033 4.2).
listener: lmtp
start: lhlo
delivered: 2

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
S: 250
silence
C: NOOP
S: 250
