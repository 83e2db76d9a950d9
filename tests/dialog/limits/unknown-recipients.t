# Guessing names ends the session.
config: tight

C: MAIL FROM:<sender@client.test>
S: 250
C*8: RCPT TO:<guess{n}@example.test>
S: 550
S: 550
S: 550
never: 250
