# Small limits of a device.
config: submission
listener: devices

C: MAIL FROM:<scanner@example.test> SIZE=5121
S: 552
C: MAIL FROM:<scanner@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<info@example.test>
S: 452 4\.5\.3
