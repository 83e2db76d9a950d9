# When MAIL is refused, what was pipelined behind it is refused too (RFC 2920 3.1).

c: MAIL FROM:<a@@client.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nNOOP\r\n
S: 5
S: 503
S: 503
S: 250
