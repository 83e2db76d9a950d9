# An unknown command is 500, and the session goes on (RFC 5321 4.2.4).

C: XYZZY
S: 500 5\.5\.[12]
C: FOO bar
S: 50[02]
C: NOOP
S: 250
