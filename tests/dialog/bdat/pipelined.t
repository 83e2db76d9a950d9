# The whole transaction without waiting for a reply (RFC 3030 4.2).
delivered: 1
body: x\r\n

C: MAIL FROM:<sender@client.test>
C: RCPT TO:<alice@example.test>
chunk: Subject: {id}\r\n
bdat: \r\nx\r\n
C: NOOP
S: 250 2\.1\.0
S: 250 2\.1\.5
S: 250
S: 250
S: 250 2\.0\.0
