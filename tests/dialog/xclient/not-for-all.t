# Others are not offered XCLIENT and may not use it.

C: EHLO client.test
S: 250
hasnot: XCLIENT.*
C: XCLIENT ADDR=192.0.2.7
S: 5
