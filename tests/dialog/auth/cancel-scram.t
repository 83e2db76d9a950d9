# SCRAM is cancelled, too.
config: submission
listener: submission
modes: tls

C: AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2RlZg==
S: 334
C: *
S: 501
C: NOOP
S: 250
