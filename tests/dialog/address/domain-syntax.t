# Labels are letters, digits and inner hyphens, and none is empty (RFC 5321 4.1.2).

C: MAIL FROM:<a@client..test>
S: 501|553
C: MAIL FROM:<a@.client.test>
S: 501|553
C: MAIL FROM:<a@-client.test>
S: 501|553
C: MAIL FROM:<a@client-.test>
S: 501|553
C: MAIL FROM:<a@cli ent.test>
S: 501|553|555
C: MAIL FROM:<a@client!.test>
S: 501|553
C: MAIL FROM:<a@x-y.client.test>
S: 250
