# LF.LF is no end when each octet travels alone.
delivered: 0

data
c: Subject: {id}\r\n\r\nfirst
wait
c: \n
wait
c: .
wait
c: \n
silence
c: MAIL FROM:<evil@client.test>\r\n
silence
c: .\r\n
S: 554
