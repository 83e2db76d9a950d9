# A device that insists may log in, in clear too; as its own account alone.
config: submission
listener: devices

C: AUTH LOGIN
S: 334
C: c2Nhbm5lckBleGFtcGxlLnRlc3Q=
S: 334
C: c2Nhbm5lcidz
S: 235
C: MAIL FROM:<scanner@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250

