/* What the files of policy share: a session's state in the pipeline. */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H
#include "policy/content.h"
#include "policy/policy.h"

enum {
    TX_MEM_CHUNK = 1024,
    TX_MEM_MAX = 8 << 20,      /* what filters keep of one transaction */
    SESSION_MEM_MAX = 1 << 20, /* ... and of a session */
    EDITS_MAX = 10000          /* of one message */
};

struct note { /* what was done, for the history */
    struct note *next;
    enum phase phase;
    str by, text;
    const char *what;
};

struct client;
struct hold;
struct policy {
    struct client *client;              /* what DNS says of it (client.h); NULL: nothing was asked */
    struct arena tx, session;           /* memory by lifetime */
    struct hold *holds, *session_holds; /* places in limits "at once" (engines.c) */
    void *own[FILTERS_MAX];
    unsigned wants[FILTERS_MAX]; /* phases, by filter ... */
    unsigned also[FILTERS_MAX];  /* ... and those that a rule asked for in this session (`run milter`) */
    unsigned phases;             /* all of them together */
    bool may_change;
    bool lifted, tx_lifted; /* an accept: for the session, for the transaction */
    bool short_of_memory;   /* a fact of this transaction could not be looked at */
    struct verdict outcome; /* of the transaction */
    struct edit *edits, **last;
    uint32_t nedits;
    uint64_t announced;                   /* SIZE of MAIL */
    uint32_t rcpts;                       /* RCPTs asked about and not refused */
    struct content content;               /* of the transaction */
    double score;                         /* of the transaction ... */
    double session_score[PHASE_AUTH + 1]; /* ... and of the session, by the phase where it was given */
    struct edit *tags;                    /* set in phases of the session */
    struct note *notes, *session_notes;
    enum phase phase;    /* that is asked for right now ... */
    const char *running; /* ... and the filter */
    void (*hear)(void *arg, enum phase ph, const char *by, const char *what, str text);
    void *hear_arg;
};

/* A condition that was judged meanwhile may be false only for want of memory, or because one transaction had used up
 * what it may have: nothing may follow from it. */
static inline bool policy_lacks_memory(const struct policy *p) { return p->short_of_memory || p->tx.e || p->session.e; }

/* The last filter: the score against the thresholds of group policy. */
unsigned score_wants(const struct source *s, const struct conf *c);
bool score_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v);
/* The filters that look at content (use_*.c), for the table in filters.c. */
#define ATTACHMENTS_PHASES (PHASE_BIT(PHASE_HEADER) | PHASE_BIT(PHASE_BODY) | PHASE_BIT(PHASE_END))
unsigned attachments_wants(const struct source *s, const struct conf *c);
unsigned attachments_wants_aside(const struct source *s, const struct conf *c);
bool attachments_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
unsigned headers_wants(const struct source *s, const struct conf *c);
bool headers_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
unsigned rspamd_wants(const struct source *s, const struct conf *c);
bool rspamd_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
unsigned clamd_wants(const struct source *s, const struct conf *c);
bool clamd_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
/* use_milter.c */
unsigned use_milter_wants(const struct source *s, const struct conf *c);
bool use_milter_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
void use_milter_tx_end(struct policy *p, void **own) YIELDS;
void use_milter_session_end(struct policy *p, void **own) YIELDS;

/* Look-ups about this session's client, begun when somebody first wants to know. NULL without memory. */
struct client *policy_client(struct policy *p, const struct matter *m); /* use_client.c */

void limits_release(struct hold **h); /* engines.c */

struct policy *policy_bare(void);        /* policy.c: nobody is asked; NULL without memory */
bool edit_is_good(const struct edit *e); /* edit_head.c: may be written */

#endif
