# Without an authority they are unknown.
config: submission
listener: submission
modes: tls

C: EHLO client.test
S: 250
hasnot: AUTH.*OAUTH.*
C: AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHgBAQ==
S: 504 5\.5\.4
C: AUTH XOAUTH2
S: 504 5\.5\.4
