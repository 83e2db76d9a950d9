# Inside quotes nearly everything goes: @, >, <, comma, blank.

C: MAIL FROM:<"a@b> <c,d"@client.test>
S: 250
