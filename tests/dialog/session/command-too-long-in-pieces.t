# An endless line in many pieces gets one answer, at its end.

c*40: {x*1000}
wait
c*40: {x*1000}
C: end
S: 500
silence
C: NOOP
S: 250
