# No recipient: 503 to DATA, no reply to count (RFC 2033 4.2).
listener: lmtp
start: lhlo

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550
C: DATA
S: 503
