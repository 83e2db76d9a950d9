# ... and one of 4096, our own limit (limits.command-length).

C: NOOP {x*4080}
S: 250
