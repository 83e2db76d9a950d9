# The same for a hundred digits.

tx
c: BDAT {9*100} LAST\r\nNOOP\r\n
never: 250
