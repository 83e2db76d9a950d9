# And a version 2 header of another version.
config: proxied
modes: clear
start: none

c: \r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\xc0\0\x02\x09\xc0\0\x02\x01\x0f\xa0\0\x19
never: 2
