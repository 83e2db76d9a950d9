# LF.LF spread over three chunks.
delivered: 0

tx
chunk: Subject: {id}\r\n\r\nfirst\n
S: 250
chunk: .
S: 250
bdat: \nMAIL FROM:<evil@client.test>\r\n
S: 554
