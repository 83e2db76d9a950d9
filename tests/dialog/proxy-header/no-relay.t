# relay-from is judged by the address in the header, not by the proxy's.
config: proxied
modes: clear
start: none

c: PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n
S: 220
ehlo
C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 55[04] 5\.7\.1
