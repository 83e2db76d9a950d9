# HELO needs a name.
start: greeting

C: HELO
S: 501
