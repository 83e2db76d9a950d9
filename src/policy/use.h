/* The filters that look at clients and recipients, and what rules may ask of them. */
#ifndef POLICY_USE_H
#define POLICY_USE_H
#include "policy/policy.h"
#include "policy/rules.h"
#include "wire/url.h"

unsigned client_wants(const struct source *s, const struct conf *c);
bool client_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
void client_tx_end(struct policy *p, void **own);
void client_session_end(struct policy *p, void **own);

unsigned verify_wants(const struct source *s, const struct conf *c);
bool verify_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;

/* Greylisting of this recipient: *v stays as it is, or is a deferral. `signs` is for the log. */
void grey_verdict(const struct matter *m, str signs, struct verdict *v);
/* Asks the server about a recipient, "local@domain". True: it is taken; else *v is a refusal or a deferral. */
bool verify_verdict(const struct conf *c, const struct url *server, str to, struct verdict *v) YIELDS;

/* Engines as rules see them (policy/rules.h; engines.c). */
bool fact_reverse_dns(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg) YIELDS;
bool fact_client_name(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg) YIELDS;
bool engine_in_list(struct policy *p, const struct matter *m, const struct conf_access *l, enum rule_type type,
                    const struct fact_value *v) YIELDS;
act_fn act_limit, act_greylist, act_verify;

#endif
