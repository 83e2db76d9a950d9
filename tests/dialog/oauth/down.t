# An authority that does not answer is a temporary failure, not a refusal.
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB
S: 454 4\.7\.0
C: NOOP
S: 250
