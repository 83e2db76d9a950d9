# The null sender is <> in Return-Path (RFC 5321 4.4, 4.5.5).
delivered: 1
header: \AReturn-Path: <>

C: MAIL FROM:<>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
