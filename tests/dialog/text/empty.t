# A text of nothing is a message.

data
c: .\r\n
S: 250
