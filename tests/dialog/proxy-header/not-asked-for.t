# Elsewhere a PROXY header is an unknown command.
start: greeting

C: PROXY TCP4 192.0.2.9 192.0.2.1 4000 25
S: 50[0-3]
C: NOOP
S: 250
