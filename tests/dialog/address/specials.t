# What is not atext needs quotes.

C: MAIL FROM:<a b@client.test>
S: 501|553|555
C: MAIL FROM:<a,b@client.test>
S: 501|553
C: MAIL FROM:<a(b)@client.test>
S: 501|553
C: MAIL FROM:<a:b@client.test>
S: 501|553
C: MAIL FROM:<a;b@client.test>
S: 501|553
C: MAIL FROM:<a[b]@client.test>
S: 501|553
