# A rule at helo refuses a name; another name is as good as any.
config: policy
start: greeting

C: EHLO x.bad.test
S: 550 5.7.1 That name is not welcome
C: MAIL FROM:<sender@client.test>
S: 503
C: EHLO later.test
S: 450 4.7.1
ehlo
tx
