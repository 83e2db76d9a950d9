/*
 * What a message holds, for filters and rules: looked at once however many ask, and shown to rspamd and clamd once.
 */
#ifndef POLICY_CONTENT_H
#define POLICY_CONTENT_H
#include "policy/client.h"
#include "policy/rules.h"
#include "scan/scan.h"

/* Of one transaction; lies in struct policy. */
struct content {
    struct scan_look *look;
    const struct scan_found *found; /* once the end was seen */
    bool rspamd, clamd;             /* were asked */
    str virus;                      /* what clamd found; "" nothing */
};
void content_end(struct content *k); /* of the transaction */

/* Does a key such as rspamd.mail mean this client without being told by a rule? */
static inline bool content_whose(int key, const struct source *s, const struct conf *c)
{
    return key == CONF_WHOSE_ALL || (key == CONF_WHOSE_STRANGERS && client_is_stranger(s, c));
}

/* A piece of the message in order, header block first, for who sees it stream by. False: no memory. */
bool content_take(struct policy *p, const struct matter *m, str octets);
/* At END: what the message holds; read again when nobody saw it stream by. NULL: no memory, or it is not kept here. */
const struct scan_found *content_look(struct policy *p, const struct matter *m) YIELDS;

/* Ask, apply what the answer says to edits and *v, and remember that it was asked; also for the actions "scan rspamd"
 * and "scan clamd" of rules. A second call in a transaction does nothing. False: no memory. */
bool content_rspamd(struct policy *p, const struct matter *m, struct verdict *v) YIELDS;
bool content_clamd(struct policy *p, const struct matter *m, struct verdict *v) YIELDS;

fact_fn fact_attachment, fact_attachment_type;
act_fn act_rspamd, act_clamd;

/* The reason why an attachment is dangerous by its name or kind, in words with its name in `mem`; "" it is not. */
str content_danger(const struct conf *c, const struct scan_item *i, char *mem, size_t size);

#endif
