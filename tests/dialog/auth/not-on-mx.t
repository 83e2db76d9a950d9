# AUTH is for submission: a receiving listener neither offers nor takes it.

hasnot: AUTH.*
C: AUTH PLAIN AAAA
S: 502
