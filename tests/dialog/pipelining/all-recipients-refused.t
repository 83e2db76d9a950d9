# All recipients refused: DATA is refused and the octets behind it are commands again.

c: MAIL FROM:<sender@client.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\nRSET\r\nNOOP\r\n
S: 250
S: 550
S: 5(03|54)
S: 250
S: 250
