# The same for IPv6.
config: proxied
modes: clear
start: none
delivered: 1
header: ^Received: from client\.test .*\[(IPv6:)?2001:db8::9\]

c: PROXY TCP6 2001:db8::9 2001:db8::1 4000 25\r\n
S: 220
ehlo
data
c: From: a@client.test\r\nSubject: {id}\r\n\r\nx\r\n.\r\n
S: 250
