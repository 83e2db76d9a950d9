# LIMITS tells the numbers that are enforced (RFC 9422 3).
config: tight
start: greeting

C: EHLO client.test
S: 250
has: LIMITS .*RCPTMAX=100.*
has: LIMITS .*MAILMAX=3.*
has: SIZE 20480
