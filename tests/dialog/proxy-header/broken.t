# A broken header closes the connection.
config: proxied
modes: clear
start: none

c: PROXY TCP4 192.0.2.900 192.0.2.1 4000 25\r\n
never: 2
