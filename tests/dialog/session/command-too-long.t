# A longer line gets one 500 however long it is, and the session goes on (RFC 5321 4.5.3.1.9).

C: NOOP {x*5000}
S: 500
C: NOOP {x*70000}
S: 500
C: NOOP {x*300000}
S: 500
silence
C: NOOP
S: 250
