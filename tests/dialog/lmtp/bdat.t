# The same after the last chunk; one reply for each chunk before (RFC 3030 and 2033).
listener: lmtp
start: lhlo
delivered: 2

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
chunk: Subject: {id}\r\n\r\n
S: 250
bdat: x\r\n
S: 250
S: 250
silence
