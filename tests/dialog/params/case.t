# Keywords are read in any case.

C: MAIL FROM:<a@client.test> size=10 Body=8bitmime ret=hdrs
S: 250
