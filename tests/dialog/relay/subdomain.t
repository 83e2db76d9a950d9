# A sub-domain of ours is not ours; nor is a longer name.
config: refuse

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@sub.example.test>
S: 55
C: RCPT TO:<alice@notexample.test>
S: 55
C: RCPT TO:<alice@example.test.elsewhere.test>
S: 55
C: RCPT TO:<alice@test>
S: 55
