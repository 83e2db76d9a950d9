# A label of 63 octets is taken, one of 64 is not; a path has 256 octets (RFC 5321 4.5.3.1.2 and .3).

C: MAIL FROM:<a@{b*63}.test>
S: 250
C: RSET
S: 250
C: MAIL FROM:<a@{b*64}.test>
S: 501|553
C: MAIL FROM:<a@{bbbbbbbbb.*25}test>
S: 501|553|250
C: RSET
S: 250
C: MAIL FROM:<a@{bbbbbbbbb.*26}test>
S: 501|553
C: MAIL FROM:<a@{bbbbbbbbb.*200}test>
S: 501|553
