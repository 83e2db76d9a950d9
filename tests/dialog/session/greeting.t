# The greeting is 220 and names the server (RFC 5321 3.1, 4.2).
start: none

S: 220 mx\.example\.test
