# From is the account's, too; Date and Message-ID are added, Bcc is taken out (RFC 6409 8).
config: submission
listener: submission
modes: tls
delivered: 1
header: ^Message-ID: <.*^Date: |^Date: .*^Message-ID: <
noheader: ^Bcc

C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k
S: 235
C: MAIL FROM:<alice@example.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
C: From: Alice <alice@example.test>
C: Bcc: secret@example.test
C: Subject: {id}
C:
C: hello
C: .
S: 250
