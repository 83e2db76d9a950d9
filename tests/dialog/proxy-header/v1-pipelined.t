# Commands behind the header in the same packet are not lost and not read early.
config: proxied
modes: clear
start: none

c: PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\nEHLO client.test\r\n
S: 220
S: 250
