# Version 2, LOCAL: a health check by the proxy itself.
config: proxied
modes: clear
start: none

c: \r\n\r\n\0\r\nQUIT\n\x20\0\0\0
S: 220
