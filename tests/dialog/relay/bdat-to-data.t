# A message that came in chunks leaves by DATA, its dots doubled, its end complete.
config: relay
delivered: 1
body: .\r\n..\r\nno end\r\n

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 250
bdat: Subject: {id}\r\n\r\n.\r\n..\r\nno end
S: 250
