# MAIL needs FROM: and a path.

C: MAIL
S: 501
C: MAIL FROM
S: 501
C: MAIL FROM:
S: 501
C: MAIL TO:<sender@client.test>
S: 501
C: MAIL <sender@client.test>
S: 501
