# SIZE=0 says nothing.

C: MAIL FROM:<sender@client.test> SIZE=0
S: 250
