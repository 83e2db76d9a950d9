# SCRAM goes on for a name that does not exist, and fails at its end (RFC 5802 9).
config: submission
listener: submission
modes: tls

C: AUTH SCRAM-SHA-256 biwsbj1ub2JvZHlAZXhhbXBsZS50ZXN0LHI9YWJjZGVm
S: 334 \S+$
C: Yz1iaXdzLHI9YWJjZGVmLHA9QUFBQQ==
S: 5\d\d 5\.[57]\.[0-9]
