# A bare LF does not end a command line (RFC 5321 2.3.8): two commands in one line are one bad line.

c: NOOP\nNOOP\r\n
S: 500
silence
C: NOOP
S: 250
