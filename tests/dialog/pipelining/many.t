# A hundred commands in one packet get a hundred replies.

c: {NOOP\r\n*100}
S*100: 250
C: QUIT
S: 221
closed
