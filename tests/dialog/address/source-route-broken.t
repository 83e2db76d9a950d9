# A source route has its own syntax.

C: MAIL FROM:<@one.test:>
S: 501|553
C: MAIL FROM:<one.test:a@client.test>
S: 501|553
C: MAIL FROM:<@one.test a@client.test>
S: 501|553|555
