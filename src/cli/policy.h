/* One session in the pipeline of a configuration, step by step, for `policy test`. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H
#include "cli/check.h"
#include "policy/policy.h"

enum { TRIAL_RECIPIENTS = 1000 };

struct trial {
    struct check_run *run;
    struct conf *conf;
    struct source src;
    struct envelope env;
    struct recipient to[TRIAL_RECIPIENTS];
    struct check_results results;
    bool checked; /* SPF was asked in this transaction */
    bool json;
    bool told;              /* a result was said */
    enum verdict_kind last; /* of the last phase */
    unsigned items;
};

void trial_say(struct trial *t, const char *phase, const char *by, const char *what, str text);
bool trial_client(struct trial *t, str ip);
str trial_address(struct trial *t, const struct addr *a); /* "local@domain", "" for <> */
/* Each asks the pipeline and says what came of it. False: refused or put off. */
bool trial_connect(struct trial *t) YIELDS; /* also false when nothing looks at the session */
bool trial_hello(struct trial *t, str name) YIELDS;
bool trial_mail(struct trial *t, const struct mail_cmd *mail, str from) YIELDS;
bool trial_rcpt(struct trial *t, const struct rcpt_cmd *rcpt, str to) YIELDS;
bool trial_data(struct trial *t) YIELDS;
bool trial_message(struct trial *t, str message) YIELDS; /* CRLF, without dots */
void trial_out(struct trial *t, str block) YIELDS; /* policy_out.c: the way out of an accepted message; its header */
/* policy_own.c: does the server itself take a message of this size, header and flags (wire/data.h)? Else *r says why.
 */
bool trial_own(const struct trial *t, uint64_t size, size_t head, unsigned flags, struct reply *r);
void trial_reset(struct trial *t) YIELDS;

/* policy_replay.c: what `capture` prints, as text. */
bool trial_is_recorded(str text);
bool trial_replay(struct trial *t, str text) YIELDS; /* false: it cannot be understood; said why */

#endif
