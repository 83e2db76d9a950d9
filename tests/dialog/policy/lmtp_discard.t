# LMTP: a recipient that is discarded has its answer, too.
config: policy
listener: lmtp
start: lhlo
delivered: 1

C: MAIL FROM:<sender@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<trap@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C:
C: {id}
C: .
S: 250
S: 250
C: NOOP
S: 250
