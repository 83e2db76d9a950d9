# Received says SMTP after HELO.
modes: clear
start: greeting
delivered: 1
header: with SMTP

C: HELO client.test
S: 250
data
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
