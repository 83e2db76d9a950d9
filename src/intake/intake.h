/*
 * The one door: every message enters here, whatever brought it (a session, sendmail, a report of our
 * own). It judges sender and recipients against the configuration, keeps the octets, adds the trace,
 * and answers 250 only after the spool has made the message durable.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H
#include "conf/conf.h"
#include "policy/policy.h"
#include "queue/queue.h"
#include "spool/spool.h"
#include "wire/addr.h"
#include "wire/cmd.h"
#include "wire/data.h"
#include "wire/ip.h"
#include "wire/reply.h"

struct check_body;
struct intake { /* the rooms behind the door; one for the process */
    struct spool *spool;
    struct queue *queue;
    struct conf *(*conf)(void); /* the generation in force, with a reference */
};
void intake_setup(const struct intake *in); /* once, before sessions */
struct conf *intake_conf(void);             /* with a reference */

struct tx_dropped {
    struct tx_dropped *next;
    str address, why;
};

/* One transaction: begun by MAIL, ended by commit or reset. All of its memory is in its arena. */
struct tx {
    struct arena arena;
    const struct source *source;
    struct conf *conf;       /* borrowed: the session keeps it for as long as the transaction lasts */
    bool open;               /* MAIL was accepted */
    bool begun;              /* the body has begun */
    bool sender_ours;        /* its domain is one of ours */
    uint32_t accepted;       /* RCPT commands accepted (before alias expansion) */
    uint32_t refused;        /* RCPT commands refused */
    struct envelope env;     /* id 0 until the body begins */
    uint32_t cap;            /* of env.to */
    uint32_t *seen;          /* hash table of 1 + index into env.to, for duplicates */
    uint32_t seen_cap;       /* a power of two, or 0 */
    struct account *account; /* of the directory, as it was at MAIL; NULL: none */
    int64_t size_most;       /* a smaller limit than limits.message-size; 0: none */
    uint64_t announced;      /* SIZE; 0: not said */
    str only;                /* the first recipient as it was given */
    struct body *body;       /* what was received so far; once chunks went out: what follows them */
    struct body *head;       /* the header block, once chunks went out */
    struct body *taking;     /* what tx_took worked on last: the octets that it did not use lie behind it */
    struct data_in scan;
    struct checks *checks;        /* of mail from others (intake/checks.h); NULL: none are made */
    struct check_body *sign_hash; /* of the body, for our signatures; NULL: it gets none */
    uint32_t chunks;              /* pieces of the body that are in the spool already */
    uint8_t trouble;              /* why the body is no longer kept (private); said at its end */
    bool untraced;                /* it gets no Received field of ours */
    bool head_judged;             /* the pipeline has seen the header */
    bool refilled;                /* the body is one that a filter brought */
    struct tx_dropped *dropped;   /* recipients that were accepted and get nothing (a discard at RCPT) */
    err failed;                   /* the error behind `trouble` */
    struct reply *refusal;        /* likewise: what the pipeline said */
};

void tx_init(struct tx *t);  /* once for a session */
void tx_reset(struct tx *t); /* the only end of a transaction; any time, any number of times */

/* Each fills *r with the answer and returns whether it is a 2xx. `s` and `c` stay until tx_reset. */
bool tx_mail(struct tx *t, const struct source *s, struct conf *c, const struct mail_cmd *m, struct reply *r);
uint32_t tx_recipients_most(const struct source *s, const struct conf *c); /* of one message */
bool tx_rcpt(struct tx *t, const struct rcpt_cmd *m, struct reply *r) YIELDS;
/* The same, and what the pipeline says of this recipient. */
bool tx_rcpt_judged(struct tx *t, const struct rcpt_cmd *m, struct reply *r) YIELDS;
/* Before 354 or the first BDAT: is there a recipient, and room? `r` is set only on refusal. */
bool tx_body_begin(struct tx *t, enum data_mode mode, struct reply *r);
/* Octets as they come from the client: takes dots away, finds the end (t->scan.done). Returns how many were
 * used. Never refuses: trouble is remembered and said by tx_commit. */
size_t tx_feed(struct tx *t, str wire) YIELDS;
/* The same without a copy: octets are read to tx_room's place, *ret_n of them at most, and tx_took says how many of
 * these n were used; the others stay where they are until the next call. NULL when nothing is kept any more: what comes
 * goes to tx_feed. */
char *tx_room(struct tx *t, size_t *ret_n) YIELDS;
size_t tx_took(struct tx *t, size_t n) YIELDS;
/* Is there room for the body so far? For the answer to a BDAT that is not the last; what the octets are is judged at
 * the end. `r` is set only on refusal. */
bool tx_body_ok(struct tx *t, struct reply *r);
/* The end: checks, trace, durable, queued. *ret_id names it. For LMTP `r` holds for all recipients. The caller
 * resets afterwards, whatever the answer. */
bool tx_commit(struct tx *t, struct reply *r, uint64_t *ret_id) YIELDS;

/*
 * For a proxy whose server takes the message while its client waits: the same transaction, without our recipients, and
 * sent on instead of stored. tx_pass_mail takes over what MAIL said and, with `checked`, begins the checks of mail from
 * others.
 */
bool tx_pass_mail(struct tx *t, const struct source *s, struct conf *c, const struct mail_cmd *m, bool checked,
                  struct reply *r);
/* Before the server is asked: may this client send for its sender? */
bool tx_pass_rcpt(struct tx *t, struct reply *r) YIELDS;
err tx_pass_accepted(struct tx *t, const struct rcpt_cmd *m); /* the server takes this one */
/* What the pipeline says of a recipient. False: refused, v->reply says how. */
bool tx_pass_judge(struct tx *t, const struct rcpt_cmd *m, struct verdict *v) YIELDS;
err tx_pass_dropped(struct tx *t, const struct rcpt_cmd *m, const struct verdict *v); /* a rule discards this one */
/* All of tx_commit but storing. *ret_gone: nothing is to be sent, *r is the answer, and the log says why. */
bool tx_finish(struct tx *t, struct reply *r, bool *ret_gone) YIELDS;
/* The rest of tx_commit, for a message that is kept here after all. */
bool tx_keep(struct tx *t, struct reply *r, uint64_t *ret_id) YIELDS;
/* After tx_finish the envelope is not the one that the client gave. */
bool tx_readdressed(const struct tx *t);
/* The message as it leaves, in pieces, until `put` returns false. */
err tx_send(struct tx *t, bool (*put)(void *arg, str piece) YIELDS, void *arg) YIELDS;
void tx_sent(const struct tx *t); /* the server took it: log */

/* The beginning of a message of our own from the null sender: what `to` becomes by the configuration is in t->env.to.
 * E_NOT_FOUND: there is no such recipient here. tx_reset ends it. */
err tx_own(struct tx *t, struct conf *c, str to);

/* What a recipient of `env` becomes that a rule redirects on its way out: added to t->env.to, with its ORCPT, NOTIFY
 * and past. E_NOT_FOUND, E_LOOP, E_AGAIN, E_LIMIT, E_NOMEM: nothing was added. tx_reset ends it. */
err tx_onward(struct tx *t, struct conf *c, const struct envelope *env, const struct recipient *was, str to) YIELDS;

/* A message made by ourselves (reports): header block and body as given, no checks, in the group of the caller, who
 * puts the group and then calls queue_accept. */
err intake_own(struct spool_group *g, const struct envelope *env, struct body *b);

#endif
