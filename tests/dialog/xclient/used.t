# XCLIENT from a named address replaces what is known of the client; the greeting comes anew.
config: xclient
start: greeting
delivered: 1
header: ^Received: from far\.test .*\[192\.0\.2\.7\]

C: EHLO client.test
S: 250
has: XCLIENT .*ADDR.*
C: XCLIENT ADDR=192.0.2.7 NAME=far.test HELO=far.test
S: 220
C: EHLO far.test
S: 250
data
c: From: a@client.test\r\nSubject: {id}\r\n\r\nx\r\n.\r\n
S: 250
