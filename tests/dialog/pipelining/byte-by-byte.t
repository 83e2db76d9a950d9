# A command may come octet by octet.

c: NO
wait
c: OP\r
wait
c: \nNO
S: 250
c: OP\r\n
S: 250
