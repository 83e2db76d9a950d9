# A bare LF in the header is refused too: it could be a field that no filter saw.
delivered: 0

data
c: Subject: {id}\nX-Hidden: yes\r\n\r\nx\r\n.\r\n
S: 554 5\.6\.11
