# UNKNOWN: the connection's own address counts (2.1).
config: proxied
modes: clear
start: none

c: PROXY UNKNOWN\r\n
S: 220
ehlo
