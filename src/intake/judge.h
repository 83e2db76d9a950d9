/*
 * The one place where a verdict is asked for, whatever brought a message and wherever it goes: the checks that every
 * message passes, and behind them the pipeline of the session (policy/policy.h), if it has one.
 */
#ifndef INTAKE_JUDGE_H
#define INTAKE_JUDGE_H
#include "intake/intake.h"

/* False: refused (or deferred), and *v says how; a caller that shows the reply sets nothing else. At RCPT *v may also
 * be DISCARD or REDIRECT of this recipient. */
bool judge_verdict(enum phase p, struct matter *m, struct verdict *v) YIELDS;
/* Its two halves. */
bool judge_always(enum phase p, struct matter *m, struct reply *r);
bool judge_policy(enum phase p, struct matter *m, struct verdict *v) YIELDS;
/* The same where only a refusal matters. */
bool judge(enum phase p, struct matter *m, struct reply *r) YIELDS;
static inline bool judge_wants(enum phase p, const struct source *s) { return policy_wants(s->policy, p); }
static inline bool judge_may_change(const struct source *s) { return policy_may_change(s->policy); }

#endif
