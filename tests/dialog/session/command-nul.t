# NUL neither ends a command nor hides what follows it.

c: NOOP\0 QUIT\r\n
S: 500
c: MAIL FROM:<a@client.test\0>\r\n
S: 50[01]
c: \0\r\n
S: 500
C: NOOP
S: 250
