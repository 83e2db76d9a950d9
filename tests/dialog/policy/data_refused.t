# A rule at data answers instead of 354, and to the first BDAT.
config: policy

C: MAIL FROM:<data@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 550 5.7.1 No data
bdat: From: a@b.c\r\n\r\nx\r\n
S: 550 5.7.1 No data
C: RSET
S: 250
tx
