# The new address has no more rights than it has.
config: xclient

C: XCLIENT ADDR=192.0.2.7
S: 220
ehlo
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 55[04] 5\.7\.1
