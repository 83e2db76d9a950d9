# A sender of ours opens no way out.
config: refuse

C: MAIL FROM:<alice@example.test>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 55[04] 5\.7\.1
