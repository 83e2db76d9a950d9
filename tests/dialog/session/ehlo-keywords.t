# EHLO offers every extension (RFC 5321 4.1.1.1; 1870, 6152, 6531, 3030, 3461, 2034, 9422).
start: greeting

C: EHLO client.test
S: 250 mx\.example\.test
has: PIPELINING
has: SIZE 1048576
has: 8BITMIME
has: SMTPUTF8
has: CHUNKING
has: BINARYMIME
has: DSN
has: ENHANCEDSTATUSCODES
has: LIMITS .*RCPTMAX=1000.*
