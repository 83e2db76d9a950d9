# The server adds Return-Path and Received at delivery (RFC 5321 4.4).
delivered: 1
header: \AReturn-Path: <sender@client\.test>.*^Received: from client\.test .*\[127\.0\.0\.1\].*by mx\.example\.test.*with ESMTP

data
c: Subject: {id}\r\n\r\nx\r\n.\r\n
S: 250
