# What a client pipelines behind the dot of a message that a rule refused at its header is heard as it was sent.
config: policy
delivered: 1

data
c: From: <sender@client.test>\r\nX-Test: refused\r\n\r\nx\r\n.\r\nNOOP\r\nMAIL FROM:<sender@client.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 550 5.7.1 That header
S: 250 2\.0\.0
S: 250 2\.1\.0
S: 250 2\.1\.5
S: 354
C: From: sender@client.test
C:
C: {id}
C: .
S: 250 2\.0\.0
