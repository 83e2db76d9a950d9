# DATA needs a recipient (RFC 5321 3.3).

C: MAIL FROM:<sender@client.test>
S: 250
C: DATA
S: 5(03|54)
