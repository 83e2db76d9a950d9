# Nor does the null sender.
config: refuse

C: MAIL FROM:<>
S: 250
C: RCPT TO:<someone@elsewhere.test>
S: 55[04] 5\.7\.1
