# When every recipient is discarded the message is taken and goes nowhere.
config: policy
delivered: 0

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<trap@example.test>
S: 250
bdat: From: sender@client.test\r\n\r\n{id}\r\n
S: 250 2.0.0 Ok: queued as
