# A command line of 512 octets is taken (RFC 5321 4.5.3.1.4).

C: NOOP {x*505}
S: 250
