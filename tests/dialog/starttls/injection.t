# Commands that came in clear behind STARTTLS are never answered (RFC 3207 6; CVE-2011-0411).
modes: clear

c: STARTTLS\r\nMAIL FROM:<evil@client.test>\r\nRCPT TO:<alice@example.test>\r\n
never: 25
