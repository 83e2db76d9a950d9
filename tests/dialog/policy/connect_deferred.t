# A rule at connect may put the client off with 421.
config: policy
listener: busy
start: none

S: 421 4.3.2 Come back later
closed
