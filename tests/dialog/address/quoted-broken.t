# Quotes that do not end, or end too early, are syntax errors.

C: MAIL FROM:<"abc@client.test>
S: 501|553
C: MAIL FROM:<"a"b@client.test>
S: 501|553
C: MAIL FROM:<a"b"@client.test>
S: 501|553
C: MAIL FROM:<"a\\"@client.test>
S: 501|553
