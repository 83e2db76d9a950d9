# Version 2 (2.2): signature, PROXY over TCP4, twelve octets.
config: proxied
modes: clear
start: none
delivered: 1
header: ^Received: from client\.test .*\[192\.0\.2\.9\]

c: \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\xc0\0\x02\x01\x0f\xa0\0\x19
S: 220
ehlo
data
c: From: a@client.test\r\nSubject: {id}\r\n\r\nx\r\n.\r\n
S: 250
