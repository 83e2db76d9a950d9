# A PROXY header of version 1 says who the client is (PROXY protocol 2.1).
config: proxied
modes: clear
start: none
delivered: 1
header: ^Received: from client\.test .*\[192\.0\.2\.9\]

c: PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n
S: 220
ehlo
data
c: From: a@client.test\r\nSubject: {id}\r\n\r\nx\r\n.\r\n
S: 250
