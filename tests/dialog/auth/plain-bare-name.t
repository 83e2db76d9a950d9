# A name without a domain is completed.
config: submission
listener: submission
modes: tls

C: auth plain AGFsaWNlAHdvbmRlcmxhbmQ=
S: 235
