# OAUTHBEARER and XOAUTH2 are offered inside TLS when there is an authority.
config: oauth
listener: submission
modes: tls

C: EHLO client.test
S: 250
has: AUTH .* OAUTHBEARER XOAUTH2$
