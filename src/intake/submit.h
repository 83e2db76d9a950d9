/*
 * What holds for mail of people, programs and devices with an account, and of local users: whose addresses they may
 * use, how much they may send, and when an account looks stolen (RFC 6409 6). Counts are in memory, bounded, and
 * outlive the process but for its last seconds.
 */
#ifndef INTAKE_SUBMIT_H
#define INTAKE_SUBMIT_H
#include "intake/intake.h"

struct head_facts;

/* At MAIL, after the envelope's sender is known. False: *r says why not. */
bool submit_mail(struct tx *t, const struct mail_cmd *m, const struct addr *from, struct reply *r) YIELDS;
/* When it may leave, and by when it must be there (RFC 4865, 2852, 6710, 8689). */
bool submit_times(struct tx *t, const struct mail_cmd *m, struct reply *r);
/* Before one more recipient. */
bool submit_rcpt(struct tx *t, struct reply *r);
/* A recipient was refused. */
void submit_refused(struct tx *t) YIELDS;
/* The header block: whose is the From field? */
bool submit_head(struct tx *t, str block, struct reply *r);
/* The message is about to be stored: counts it. */
bool submit_take(struct tx *t, struct reply *r) YIELDS;
/* An account logged in from this address. */
void submit_seen(const struct conf *c, str account, const struct ip *from) YIELDS;

/* A message of our own to the postmaster of `domain` (or of the server). */
err intake_notice(struct conf *c, str domain, str subject, str text) YIELDS;

/* ---- quota.c ---- */

struct quota_rate { /* what one name may have in a minute, an hour, a day; 0: no limit */
    uint32_t most[3];
};
enum quota_what { QUOTA_MESSAGES, QUOTA_RECIPIENTS };
struct quota_ask { /* one scope: "account alice@example.test" */
    const char *scope;
    str name;
    struct quota_rate rate[2]; /* by enum quota_what */
};
/* Would `more` of `what` fit into every scope? Else *r names the limit. */
bool quota_room(const struct quota_ask *v, size_t n, enum quota_what what, uint32_t more, struct reply *r);
/* All or nothing: one message with so many recipients. */
bool quota_take(const struct quota_ask *v, size_t n, uint32_t recipients, struct reply *r);

void quota_keep(void); /* these counts outlive the process: before counts_open */

/* Signs that an account is not used by its owner alone. NULL, or a text that says which limit was passed. */
struct quota_signs {
    uint32_t networks, unknown, rate; /* thresholds; 0: never */
};
bool quota_seen(str account, const struct ip *from, uint32_t most, uint32_t *ret);     /* networks in the last hour */
bool quota_unknown(str account, uint32_t most);                                        /* one more refused recipient */
bool quota_sudden(str account, uint32_t most, uint32_t *ret_now, uint32_t *ret_usual); /* by what quota_take counted */

#endif
