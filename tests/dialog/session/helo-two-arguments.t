# HELO takes one name and nothing more (RFC 5321 4.1.1.1).
start: greeting

C: HELO client.test and more
S: 501
