# Too many errors end the session with 421.
config: tight

C*8: XYZZY
C: NOOP
S*4: 500
never: 250
