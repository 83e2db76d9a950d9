# ... however they arrive.
config: submission
listener: devices
delivered: 1
body: one\r\ntwo\r\n

C: MAIL FROM:<scanner@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r
wait
c: \n\r
wait
c: \none\r
wait
c: \ntwo\r\n.\r
wait
c: \n
S: 250
C: NOOP
S: 250
