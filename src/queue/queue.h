/*
 * The queue: what is still to be delivered, when, and over how many connections. All in memory,
 * rebuilt from the spool at start. One owner: loop 0; every other loop talks to it by posts.
 *
 * Two stages. What waits for a time lies in one timer heap; what may go now lies in the ready queue
 * of its *site* (a destination: all recipients whose mail takes the same way). A site opens
 * connections up to its limits by *leases*: a fiber on any loop that holds a lease takes *tickets*
 * (a message and some of its recipients), delivers them and reports each one. A blocked site knows
 * the exact time at which it may move. Every message has a deadline (expires_ms) that is checked in
 * every stage.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H
#include "conf/conf.h"
#include "spool/spool.h"

struct queue;

struct site_limits {
    uint32_t connections; /* at once */
    uint32_t messages_per_connection;
    uint32_t recipients; /* in one transaction; 1 for maildir */
    uint32_t rate;       /* messages a minute; 0: none */
};

/* ---- tickets and leases: the side of `send` ------------------------------------------------------ */

/* What became of one recipient in an attempt. */
enum fate {
    FATE_NONE,      /* not attempted: back into the ready queue, no attempt counted */
    FATE_DELIVERED, /* the next hop has it */
    FATE_RELAYED,   /* the same, to a hop without DSN: a wanted success report is ours to make */
    FATE_DEFERRED,  /* 4xx, no connection, ...: try again by the table of delays */
    FATE_FAILED,    /* 5xx and the like: bounce */
    FATE_HELD,      /* a rule wants it held until an operator releases it; no attempt counted */
    FATE_REPLACED,  /* its message was put anew under other recipients (already durable) */
};

struct ticket_rcpt {
    uint32_t index;    /* into the envelope's recipients */
    uint8_t fate;      /* enum fate; filled in by send */
    uint16_t attempts; /* before this one */
    bool released;     /* an operator has let it go: no rule holds it again */
    bool judged;       /* filled in by send: a rule decided, which says nothing of the destination */
    str address;       /* valid while the ticket is held */
    str reply;         /* filled in by send, allocated in ticket->arena: "550 5.1.1 no such user" */
    str remote;        /* name of the server that said so; empty: ourselves */
};

struct ticket {
    struct list link; /* for the holder */
    uint64_t id;
    struct body *mem; /* NULL: read it from the spool */
    struct ticket_rcpt *to;
    uint32_t nto;
    rt_time not_before; /* for all FATE_DEFERRED: earliest next try; 0: by the table (a 421, a rate reply) */
    struct arena arena; /* lives until queue_done */
    /* private from here */
    struct post post;
    struct lease *lease;
    struct msg *msg;
    struct list out; /* of all that were handed out */
    uint32_t *pos;   /* places of the recipients in msg, as in `to` */
    uint64_t turn;   /* the how-many-th that was decided */
    bool ends;       /* the last of its message */
    bool untaken;    /* its connection was never made */
};

struct lease {
    char key[320]; /* the site's key, NUL-ended */
    struct site_limits limits;
    struct loop *loop; /* where its fiber runs */
    /* private from here: written by the lease's fiber ... */
    struct queue *queue;
    struct post ask, answer, ending; /* lease to owner, owner to lease, lease to owner */
    struct list tickets;             /* arrived, not handed out yet */
    struct fiber *waiter;
    uint32_t want;
    rt_time until;
    bool asked, over, ended, unstarted, bye, handed;
    err down;
    char why[512];
    size_t why_n;
    /* ... and by the owner */
    struct list all, idle, spare; /* of the queue; of the site; of the queue, oldest first */
    struct list sent;             /* travels with `answer` */
    struct site *site;
    uint32_t taken, returned;
    uint32_t round; /* generation of sites that it was opened in */
    bool open_ask, finish, worked;
};

/* The next tickets of the lease's site, at most `max`, into `out`; waits until `until` for the first one (now:
 * asks the owner, and returns without waiting for work to come).
 * 0: nothing came, or the lease is to end (limits, hold, shutdown): finish with queue_end. Call on the lease's loop. */
size_t queue_take(struct lease *l, struct ticket **out, size_t max, rt_time until) YIELDS;
/* Gives a ticket back with the fates of its recipients filled in. Any time after it was taken; does not sleep. */
void queue_done(struct lease *l, struct ticket *t);
/* Likewise of a ticket whose connection could not be made: those without a fate have made an attempt, with this reply.
 */
void queue_untaken(struct lease *l, struct ticket *t, str why);
/* The connection is over; tickets still held must have been given back. `down` != OK: the site could not be
 * reached; nobody tries again before its back-off ends, `why` (copied) tells people, and the message that the
 * lease was opened for, if it was not taken, counts as deferred with it. `down` == OK and
 * `why` empty: an ordinary end. Frees the lease. */
void queue_end(struct lease *l, err down, str why);

/* ---- what the queue asks of the rooms above (registered by app) ------------------------------------- */

struct report_rcpt {
    uint32_t index;
    uint8_t outcome; /* enum outcome; 0 with delayed: stays in the queue */
    str reply, remote;
    uint16_t attempts;
};
struct report {
    uint64_t id;
    struct body *mem;       /* may be NULL */
    struct report_rcpt *to; /* all recipients that ended together */
    uint32_t nto;
    bool delayed;           /* a delay notice (RFC 3461 4.2 DELAY), not an end */
    bool last;              /* nothing of the message is left afterwards: end record */
    int64_t retry_until_ms; /* for delay notices */
};

struct queue_ops {
    void *arg;
    /* The site of a recipient: its key and limits; pure, quick, on loop 0. A key names the way completely, e.g.
     * "mx example.com", "smtp 127.0.0.1:2599", "lmtp 127.0.0.1:24", "maildir example.test", "discard". `lax`: ENV_LAX;
     * `way`: of the envelope.
     */
    void (*site)(void *arg, bool lax, str way, str sender, str address, struct buf *ret_key,
                 struct site_limits *ret_limits);
    /* A new lease: spawn its fiber. Runs on lease->loop. False: no memory; the lease is taken back. */
    bool (*start)(void *arg, struct lease *l);
    /* Recipients that ended other than by plain delivery, or wanted a success report: write the reports that RFC 3461
     * asks for, and their outcomes, in one group. Runs as a fiber on loop 0. Not OK: asked again later. */
    err (*report)(void *arg, const struct report *r) YIELDS;
};

/* ---- life -------------------------------------------------------------------------------------------- */

/* Before loops run. */
err queue_new(struct queue **ret, const struct queue_ops *ops);
/* For spool_open's `due`: takes what recovery found. */
void queue_recovered(void *queue, const struct envelope *env, const struct rcpt_status *state);
/* On loop 0, once the spool is open: begins to deliver. */
void queue_start(struct queue *q, struct spool *s, struct conf *c);
void queue_reload(struct queue *q, struct conf *c); /* loop 0: sites are worked out anew */
void queue_stop(struct queue *q);                   /* loop 0: no new leases, held ones end */
void queue_free(struct queue **q);

/* A message that is durable now. Any loop. Takes references of its own (mem may be NULL). Without memory for the
 * entry the fiber sleeps until there is some; cancelled in that, the message stays in the spool and is taken up again
 * by the next start: returns E_NOMEM, logs it. */
err queue_accept(struct queue *q, const struct envelope *env, struct body *mem) YIELDS;
/* The same with the recipients' states as they were elsewhere (an import), already durable. Loop 0. */
err queue_accept_as(struct queue *q, const struct envelope *env, const struct rcpt_status *state) YIELDS;
/* OK, or E_QUEUE_FULL: new mail would pass queue.max-recipients. Any thread. */
err queue_room(struct queue *q, uint32_t recipients);

/* ---- operators (loop 0; through ctl) --------------------------------------------------------------------- */

struct queue_filter { /* empty members match everything; all given must match */
    uint64_t id;
    str sender, recipient;        /* substrings, ASCII case folded; "<>" is the null sender */
    str site;                     /* substring of the key */
    str error;                    /* substring of the last reply */
    int64_t older_ms, younger_ms; /* age */
    int64_t tenant;               /* -1: any */
    int held;                     /* -1: any, 0, 1 */
    bool quarantine;              /* only what is held in quarantine */
};
struct queue_entry { /* one recipient, valid during the call */
    uint64_t id;
    int64_t arrived_ms, expires_ms, next_ms; /* next_ms 0: now */
    str sender, address, site, reply;
    uint64_t size;
    uint32_t index, tenant, attempts;
    const char *state; /* "ready", "waiting", "active", "held" */
    bool quarantine;   /* held there */
};
/* Walks the entries in order of arrival from *cursor (start: 0) for at most `budget` entries looked at; false when
 * finished. Callers yield between slices, so that a million entries hold nobody up. */
bool queue_walk(struct queue *q, const struct queue_filter *f, uint64_t *cursor, size_t budget,
                void (*each)(void *arg, const struct queue_entry *e), void *arg);
enum queue_action { QUEUE_FLUSH, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_REMOVE, QUEUE_BOUNCE };
/* One recipient (index) or all of a message (index UINT32_MAX). Active ones: remove and bounce take effect when their
 * attempt ends without delivery. `who` goes to the log. Number of recipients concerned. */
uint32_t queue_act(struct queue *q, enum queue_action a, uint64_t id, uint32_t index, str who);
/* Sleeps until what was removed (or delivered) so far is durable: no restart brings it back. E_TIMEOUT, E_CANCELLED. */
err queue_settled(struct queue *q, rt_time deadline) YIELDS;

struct queue_stats {
    uint64_t messages, recipients, ready, waiting, active, held;
    uint64_t sites, blocked_sites, connections, body_bytes;
    int64_t oldest_ms; /* arrival of the oldest; 0: none */
};
void queue_stats(struct queue *q, struct queue_stats *ret); /* any thread; a recent picture */
/* Sites for `status`: busiest first, at most n. */
struct queue_site {
    str key;
    uint64_t ready, waiting, connections;
    int64_t blocked_until_ms;
    str error;
};
size_t queue_sites(struct queue *q, struct queue_site *v, size_t n);

#endif
