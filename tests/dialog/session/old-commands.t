# SEND, SOML, SAML and TURN are gone (RFC 5321 F.1, F.6).

C: SEND FROM:<a@client.test>
S: 50[02]
C: SOML FROM:<a@client.test>
S: 50[02]
C: SAML FROM:<a@client.test>
S: 50[02]
C: TURN
S: 50[02]
