# ... so that NOOP behind it gets no 250.

tx
c: BDAT 4294967300 LAST\r\nNOOP\r\n
never: 250
