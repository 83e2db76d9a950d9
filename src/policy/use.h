/* The filters that look at clients and recipients, and what rules may ask of them. */
#ifndef POLICY_USE_H
#define POLICY_USE_H
#include "policy/policy.h"
#include "wire/url.h"

unsigned client_wants(const struct source *s, const struct conf *c);
bool client_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
void client_tx_end(struct policy *p, void **own);
void client_session_end(struct policy *p, void **own);

unsigned verify_wants(const struct source *s, const struct conf *c);
bool verify_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;

/* Asks the server about a recipient, "local@domain". True: it is taken; else *v is a refusal or a deferral. */
bool verify_verdict(const struct conf *c, const struct url *server, str to, struct verdict *v) YIELDS;

#endif
