# A device sends as its account.
config: submission
listener: devices

C: MAIL FROM:<alice@example.test>
S: 550 5\.7\.1
