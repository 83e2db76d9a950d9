# After too many failures the session ends.
config: submission
listener: submission
modes: tls

C: AUTH PLAIN AGFsaWNlAGE=
S: 535
C: AUTH PLAIN AGFsaWNlAGI=
S: 535
C: AUTH PLAIN AGFsaWNlAGM=
S: 421 4\.7\.0
closed
