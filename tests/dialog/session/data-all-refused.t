# DATA when every recipient was refused gets no 354 (RFC 5321 3.3).

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<nobody@example.test>
S: 550
C: DATA
S: 5(03|54)
C: NOOP
S: 250
