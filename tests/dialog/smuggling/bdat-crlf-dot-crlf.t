# CRLF.CRLF within a chunk is text: one message, dot kept, nothing behind it runs.
delivered: 1

tx
bdat: Subject: {id}\r\n\r\nfirst\r\n.\r\nMAIL FROM:<evil@client.test>\r\nRCPT TO:<bob@example.test>\r\n
S: 250
silence
C: RCPT TO:<bob@example.test>
S: 503
