# A submission server offers FUTURERELEASE, DELIVERBY, MT-PRIORITY and, within TLS, REQUIRETLS.
config: submission
listener: submission
modes: tls

C: EHLO c.test
S: 250
has: FUTURERELEASE 2592000 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ
has: DELIVERBY
has: MT-PRIORITY
has: REQUIRETLS
hasnot: STARTTLS
