/* What the files of milter share: connections, and the session with a filter. */
#ifndef MILTER_INTERNAL_H
#define MILTER_INTERNAL_H
#include "milter/milter.h"

/* ---- link.c: a connection to a filter, after the negotiation; idle ones are kept for each loop ---- */

enum { LINK_WHY_MAX = 200 };

struct milter_link {
    struct conn conn;
    struct milter_terms terms; /* views into mem */
    struct arena mem;
    struct buf in; /* what came: the last packet ... */
    size_t took;   /* ... of so many octets, and what follows it */
    str address;   /* as it was configured: who it leads to */
    bool used;     /* in a session before this one */
    struct idle idle;
};

/* One from the idle ones (`fresh`: not those), or a new one. `why` says what failed. */
err milter_link_get(struct milter_link **ret, const struct conf_milter *c, bool fresh, struct buf *why) YIELDS;
void milter_link_drop(struct milter_link **l); /* at once */
/* Says QUIT, or QUIT_NC where it may be kept. libmilter passes over a QUIT_NC (and then over the next connect) unless a
 * message just ended with "continue": `may`. */
void milter_link_keep(struct milter_link **l, const struct conf_milter *c, bool may) YIELDS;
/* The next packet; *ret_data holds until the next call. E_PROTOCOL: what came is none. */
err milter_link_read(struct milter_link *l, char *ret_what, str *ret_data) YIELDS;

/* ---- macros.c ---- */

/* Puts the packet with the macros of a stage in, if there are any: those that the filter named,
 * or the usual ones. */
void milter_macros(struct buf *out, enum milter_cmd cmd, enum milter_stage at, const struct milter_terms *t,
                   milter_macro_fn *value, void *arg);

/* ---- the session (session.c, message.c) ---- */

struct milter_callback { /* one callback */
    enum milter_cmd cmd;
    uint32_t unwanted, silent; /* bits of the filter's steps: not told, not answered */
    int at;                    /* enum milter_stage of its macros; -1: none */
    uint32_t since;            /* version of the protocol */
    const char *name;
};
enum step_kind {
    STEP_CONNECT,
    STEP_HELO,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_UNKNOWN,
    STEP_HEADER,
    STEP_EOH,
    STEP_BODY,
    STEP_EOM,
    STEP_COUNT
};
extern const struct milter_callback milter_steps[STEP_COUNT];

struct milter {
    const struct conf_milter *c;
    milter_macro_fn *macro;
    void *arg;
    struct milter_link *l; /* NULL: no connection */
    struct arena mem;      /* who and helo */
    struct milter_who who;
    str helo;            /* p == NULL: not said */
    struct buf out;      /* the packet that is made; a piece of the body gathers here */
    rt_time until;       /* end of the time for this message */
    bool told;           /* the filter knows who connects */
    bool over;           /* not asked any more in this session; `held` holds what it said */
    bool failed;         /* until the next MAIL */
    bool ended;          /* the last thing it heard was the end of a message, and it said "continue" */
    bool in_tx, tx_over; /* the filter knows of a transaction; it decided about it */
    uint32_t skip;       /* bits of steps that it wants no more of in this message */
    struct milter_verdict held;
    char why[LINK_WHY_MAX];
    size_t nwhy;
};

/* Remembers why, drops the connection. */
err milter_fail(struct milter *m, err e, const char *doing, const char *why);
/* The packet of a step is in m->out: sends it (its macros were sent before) and hears the answer.
 */
err milter_ask(struct milter *m, enum step_kind s, struct milter_verdict *v) YIELDS;
/* Would the filter hear of this step? Sends its macros if it has any. */
bool milter_tells(struct milter *m, enum step_kind s, err *ret) YIELDS;
/* What an answer that ends a step means. False: it may not stand here. */
bool milter_settle(struct milter *m, enum step_kind s, const struct milter_answer *a, struct milter_verdict *v);
rt_time milter_deadline(const struct milter *m, rt_time span);

#endif
