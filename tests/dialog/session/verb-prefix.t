# A verb that only begins like a known one is unknown.

C: NOOPS
S: 500
C: MAILFROM:<a@client.test>
S: 50[01]
C: QUITX
S: 500
C: DATAX
S: 500
