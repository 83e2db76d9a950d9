# The same beyond 64 bits.

tx
c: BDAT 18446744073709551616 LAST\r\nNOOP\r\n
never: 250
