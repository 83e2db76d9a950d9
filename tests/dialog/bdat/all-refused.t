# ... and when every recipient was refused.

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550
bdat: QUIT\r\n
S: 503|554
C: NOOP
S: 250
