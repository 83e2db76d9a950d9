# The null sender stays null.
config: relay
delivered: 1
sender:

C: MAIL FROM:<>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
