# So does one without an end (107 octets are the most, 2.1).
config: proxied
modes: clear
start: none

c: PROXY TCP4 {1*300}\r\n
never: 2
