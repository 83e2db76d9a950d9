# A rule at connect refuses the session: 554 instead of the greeting (RFC 5321 3.1).
config: policy
listener: shut
start: none

S: 554 5.7.1 Not for you
closed
