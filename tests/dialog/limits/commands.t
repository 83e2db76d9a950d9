# Commands that bring no message are limited.
config: tight

C*40: NOOP
S*20: 250
never: 354
