# All of atext (RFC 5322 3.2.3).

C: MAIL FROM:<!#$%&'*+-/=?^_`{|}~az09@client.test>
S: 250
C: RCPT TO:<o'hara@example.test>
S: 250
