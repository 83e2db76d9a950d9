# Version 2 with extra fields, which are skipped.
config: proxied
modes: clear
start: none

c: \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\x02\x09\xc0\0\x02\x01\x0f\xa0\0\x19\x04\0\x04abcd
S: 220
