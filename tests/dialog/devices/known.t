# A device that is known by its address sends without a log-in.
config: submission
listener: devices
delivered: 1
header: ^From: <scanner@example\.test>

C: MAIL FROM:<scanner@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: Subject: {id}
C:
C: hello
C: .
S: 250
