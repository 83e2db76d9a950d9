# Another body for a message that came by BDAT and had none.
config: policy
delivered: 1
body: Removed here.\r\n

tx
bdat: From: sender@client.test\r\nX-Edit: body\r\nX-Word: {id}\r\n
S: 250
