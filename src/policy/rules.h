/*
 * What the rules of the configuration are made of in the pipeline: facts have values, actions do something. Both are
 * tables by the rows of conf/rule.def; a filter or engine that knows a fact or carries out an action adds its function.
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H
#include "conf/rule.h"
#include "policy/policy.h"

/* One value of a fact; what counts is told by the fact's type. */
struct fact_value {
    str text;
    int64_t number;
    struct ip ip;
};
/* Shows each value until `see` returns true, and then returns true. None: the fact is not known, or not there. */
typedef bool fact_see(void *arg, const struct fact_value *v) YIELDS;
typedef bool fact_fn(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg) YIELDS;
extern fact_fn *const own_facts[RULE_FACTS];  /* facts.c */
extern fact_fn *const more_facts[RULE_FACTS]; /* filters.c: of engines and filters */

/* Is one value in a section list? (filters.c; NULL: in none) */
typedef bool in_list_fn(struct policy *p, const struct matter *m, const struct conf_access *l, enum rule_type type,
                        const struct fact_value *v) YIELDS;
extern in_list_fn *const rule_in_list;

/* Carries out an action of `rule`, with *v as a filter leaves it. False: no memory. */
typedef bool act_fn(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
                    struct verdict *v) YIELDS;
extern act_fn *const own_acts[RULE_DOS];  /* actions.c */
extern act_fn *const more_acts[RULE_DOS]; /* filters.c: of engines and filters */
act_fn use_milter_act;                    /* `run milter`: from this phase on, in this session */
static inline act_fn *act_of(enum rule_do what) { return own_acts[what] ? own_acts[what] : more_acts[what]; }

bool cond_true(struct policy *p, const struct matter *m, const struct rule_cond *c) YIELDS; /* NULL: always */
bool glob_match(str pattern, str text);

/* The actions of a rule, if its condition is true, in order, as far as a verdict. False: no memory. */
bool rule_apply(struct policy *p, const struct conf_rule *r, struct matter *m, struct verdict *v) YIELDS;
/* The filter `rules`. */
unsigned rules_wants(const struct source *s, const struct conf *c);
unsigned rules_change(const struct source *s, const struct conf *c); /* phases of those that change something */
bool rules_points(const struct source *s, const struct conf *c);     /* one of them may give points */
bool rules_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;

/* The slot `own` of a filter, for the action of a rule that it carries out. */
void **policy_own(struct policy *p, const char *filter);

/* Takes up a verdict as the pipeline does with a filter's: notes it, remembers what concerns the message. True: nothing
 * more is asked in this phase. */
bool policy_take(struct policy *p, enum phase ph, const struct matter *m, struct verdict *v);

#endif
