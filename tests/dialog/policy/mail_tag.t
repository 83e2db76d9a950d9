# What a rule noted at mail (a tag, a score) is known to a rule at the end.
config: policy
delivered: 1
header: ^X-Marked: yes$

C: MAIL FROM:<a@x.marked.test>
S: 250
C: RCPT TO:<alice@example.test>
S: 250
C: DATA
S: 354
C: From: a@x.marked.test
C:
C: {id}
C: .
S: 250
