# ORCPT is type;xtext (RFC 3461 4.2).

C: MAIL FROM:<a@client.test>
S: 250
C: RCPT TO:<alice@example.test> ORCPT=rfc822;Alice+2Bx@example.test
S: 250
C: RCPT TO:<alice@example.test> ORCPT=alice@example.test
S: 501
C: RCPT TO:<alice@example.test> ORCPT=;alice@example.test
S: 501
C: RCPT TO:<alice@example.test> ORCPT=rfc822;
S: 501
C: RCPT TO:<alice@example.test> ORCPT=rfc822;a+zz
S: 501
C: RCPT TO:<alice@example.test> ORCPT=rfc822;a ORCPT=rfc822;b
S: 501
