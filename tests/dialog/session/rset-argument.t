# RSET takes no argument (RFC 5321 4.1.1.5, 4.3.2).

C: RSET now
S: 501
