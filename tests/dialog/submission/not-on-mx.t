# A receiving server offers none of the parameters of submission.

hasnot: FUTURERELEASE.*
hasnot: DELIVERBY.*
hasnot: MT-PRIORITY.*
C: MAIL FROM:<a@client.test> HOLDFOR=5
S: 555
C: MAIL FROM:<a@client.test> BY=5;N
S: 555
