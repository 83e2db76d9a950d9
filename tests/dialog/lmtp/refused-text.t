# A text that is refused is refused once per recipient.
listener: lmtp
start: lhlo
delivered: 0

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\na\nb\r\n.\r\n
S: 5
S: 5
silence
C: NOOP
S: 250
