# A chunk beyond the message limit is refused and skipped, and the session goes on.
delivered: 0

tx
bdat: Subject: {id}\r\n\r\n{0123456789012345678901234567890123456789012345678901234567890123456\r\n*18000}
S: 552
C: NOOP
S: 250
