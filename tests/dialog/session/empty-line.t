# An empty line is no command.

C:
S: 500
C: NOOP
S: 250
