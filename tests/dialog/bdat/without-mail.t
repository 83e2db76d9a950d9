# BDAT without MAIL is 503, and its octets are not commands (RFC 3030 2).

bdat: MAIL FROM:<evil@client.test>\r\n
S: 503
C: RCPT TO:<alice@example.test>
S: 503
C: NOOP
S: 250
