# LMTP says LHLO; EHLO and HELO are refused (RFC 2033 4.1).
listener: lmtp
start: greeting

C: EHLO client.test
S: 50[0-3]
C: HELO client.test
S: 50[0-3]
C: MAIL FROM:<sender@client.test>
S: 503
C: LHLO client.test
S: 250
has: PIPELINING
has: ENHANCEDSTATUSCODES
