# CRLF.CR, then LF much later, is the end: nothing but CRLF.CRLF was sent.
delivered: 1

data
c: Subject: {id}\r\n\r\nfirst\r
wait
c: \n.\r
silence
c: \n
S: 250
C: QUIT
S: 221
