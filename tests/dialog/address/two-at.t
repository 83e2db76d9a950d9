# a@@b and friends are no addresses.

C: MAIL FROM:<a@@client.test>
S: 501|553
C: MAIL FROM:<a@b@client.test>
S: 501|553
C: MAIL FROM:<@client.test>
S: 501|553
C: MAIL FROM:<a@>
S: 501|553
C: MAIL FROM:<@>
S: 501|553
