# A header that a rule refuses is known with the first chunk: the transaction ends there.
config: policy
delivered: 0

tx
chunk: From: sender@client.test\r\nX-Test: refused\r\n\r\n{id}\r\n
S: 550 5.7.1 That header
bdat: more\r\n
S: 503
tx
