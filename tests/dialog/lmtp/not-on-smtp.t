# LHLO is no SMTP command.
start: greeting

C: LHLO client.test
S: 50[0-2]
