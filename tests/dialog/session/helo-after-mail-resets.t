# HELO in a transaction resets as EHLO does (RFC 5321 4.1.4).

tx
C: HELO client.test
S: 250
C: DATA
S: 50
