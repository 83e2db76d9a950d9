# Where a header is required nobody gets in without one.
config: proxied
modes: clear
start: none

C: EHLO client.test
never: 2
