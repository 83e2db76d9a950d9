# Verbs are read in any case (RFC 5321 2.4).
start: greeting

C: eHlO client.test
S: 250
C: mAiL fRoM:<sender@client.test>
S: 250
C: rcpt to:<alice@example.test>
S: 250
C: rset
S: 250
C: quit
S: 221
closed
