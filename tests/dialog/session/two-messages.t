# A session may bring several messages; each begins anew (RFC 5321 3.3).
delivered: 2

data
c: Subject: {id} one\r\n\r\n1\r\n.\r\n
S: 250
C: DATA
S: 503
data
c: Subject: {id} two\r\n\r\n2\r\n.\r\n
S: 250
