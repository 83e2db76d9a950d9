# ... and not before.
config: oauth
listener: submission
modes: clear

C: EHLO client.test
S: 250
hasnot: AUTH.*
C: AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHgBAQ==
S: 538 5\.7\.11
