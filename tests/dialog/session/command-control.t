# A control character in a command is refused.

c: NOOP a\x01b\r\n
S: 500
c: MAIL FROM:<a\x07b@client.test>\r\n
S: 50[01]
C: NOOP
S: 250
