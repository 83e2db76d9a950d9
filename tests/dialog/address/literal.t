# Address literals (RFC 5321 4.1.3).

C: MAIL FROM:<a@[192.0.2.1]>
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@[IPv6:2001:db8::1]>
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@[IPv6:::ffff:192.0.2.1]>
S: 250
