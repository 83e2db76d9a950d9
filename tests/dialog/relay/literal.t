# An address literal is somebody else.
config: refuse

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone@[192.0.2.1]>
S: 55
C: RCPT TO:<someone@[IPv6:2001:db8::1]>
S: 55
