# 530 for MAIL without a log-in (RFC 4954 6).
config: submission
listener: submission
modes: clear tls

C: MAIL FROM:<alice@example.test>
S: 530 5\.7\.0
