# A signed token of an authority that is not known is refused, and the one that is known not asked.
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIGV5SmhiR2NpT2lKRlV6STFOaUo5LmV5SnBjM01pT2lKcWIyVWlmUS5BQUFBAQE=
S: 334
C: AQ==
S: 535 5\.7\.8
