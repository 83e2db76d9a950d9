# A network that may relay does, and the octets arrive as they were.
config: relay
delivered: 1
sender: sender@client.test
body: ..\r\n.\r\n.x\r\n

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\n...\r\n..\r\n..x\r\n.\r\n
S: 250
