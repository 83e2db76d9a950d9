# Others are refused at the greeting.
config: submission
modes: clear
listener: others
start: none

S: 554 5\.7\.1
closed
