# Rules at mail: refused, deferred, and the session goes on.
config: policy

C: MAIL FROM:<refused@client.test>
S: 550 5.7.1 Not from you
C: RCPT TO:<alice@example.test>
S: 503
C: MAIL FROM:<deferred@client.test>
S: 450 4.7.1 Not now
tx
