# Line ends that are only LF or CR are repaired, in commands and in the text.
config: submission
listener: devices
delivered: 1
body: one\r\ntwo\r\nthree\r\n.four\r\n

c: MAIL FROM:<scanner@example.test>\n
S: 250
c: RCPT TO:<bob@example.test>\n
S: 250
c: DATA\n
S: 354
c: Subject: {id}\n\none\ntwo\rthree\r\n..four\n.\n
S: 250
C: NOOP
S: 250
