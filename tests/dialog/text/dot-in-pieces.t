# The end in four packets is the end.
delivered: 1
body: x\r\n

data
c: Subject: {id}\r\n\r\nx\r
wait
c: \n
wait
c: .
wait
c: \r
wait
c: \n
S: 250
