# A size beyond 32 bits is not a small one: it is beyond the limit, and what follows is not read as commands.

tx
C: BDAT 4294967296 LAST
S: 5(52|54|01)
