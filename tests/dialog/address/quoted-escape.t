# Backslashes in a quoted local part quote one octet.

C: MAIL FROM:<"a\\"b\\\\c"@client.test>
S: 250
C: RCPT TO:<"\\a\\l\\ice"@example.test>
S: 250
C: RCPT TO:<"with space"@example.test>
S: 250
