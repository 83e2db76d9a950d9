# Mailboxes, too: what is put off stays in the queue.
config: policy
delivered: 1

C: MAIL FROM:<nobob@client.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: sender@client.test
C:
C: {id}
C: .
S: 250
