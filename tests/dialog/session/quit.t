# QUIT gets 221, then the server closes (RFC 5321 4.1.1.10).

C: QUIT
S: 221 .*mx\.example\.test|221
closed
