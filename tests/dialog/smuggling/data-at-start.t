# LF.LF as the first octets of a text is no end either.
delivered: 0

data
c: .\nMAIL FROM:<evil@client.test>\r\n
silence
c: {id}\r\n.\r\n
S: 554
