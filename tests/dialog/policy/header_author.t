# The author is the address in From.
config: policy

data
C: From: "Somebody" <x@Spoof.Test>
C:
C: x
C: .
S: 550 5.7.1 That author
