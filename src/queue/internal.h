/*
 * Inside the queue. One owner: everything here but the lease's own half, `room` and the building of a
 * message happens on loop 0, in posts and in the timer; nothing of it sleeps except the report fibers.
 *
 * A recipient is in exactly one state. READY ones lie in a lane of their site; WAITING ones are found
 * by the timer of their message; ACTIVE ones are in a ticket; ENDING ones have an end that is not yet
 * durable; HELD ones wait for an operator. A message is freed when none is left and all is durable.
 */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H
#include "base/map.h"
#include "queue/due.h"
#include "queue/ids.h"
#include "queue/queue.h"
#include "queue/texts.h"

#include <stdatomic.h>

/* ---- messages ------------------------------------------------------------------------------------ */

enum rstate { R_READY, R_WAITING, R_HELD, R_ACTIVE, R_ENDING, R_DONE, R_STATES };
enum {
    RF_TRIED = 1,         /* an attempt has ended */
    RF_WANTS_SUCCESS = 2, /* NOTIFY=SUCCESS */
    RF_NO_DELAY = 4,      /* no delay notice wanted */
    RF_HOLD = 8,          /* what an operator wants done when the attempt ends without delivery */
    RF_REMOVE = 16,
    RF_BOUNCE = 32,
    RF_RELEASED = 64, /* by an operator */
    RF_UNTOLD = 128,  /* ENDING: delivered, its report is owed and in no job yet; tried at `next` */
};

enum { ATTEMPTS_MAX = (1 << 12) - 1, ADDRESS_MAX = (1 << 9) - 1 };

/* There are millions: 40 octets each. */
struct rcpt {
    union {
        struct list link; /* READY: in its lane */
        struct {
            struct msg *chain; /* of to[0], before the message is admitted */
            tick next;         /* WAITING, RF_UNTOLD, and until it is admitted */
        };
    };
    uint32_t site, reply; /* numbers */
    uint32_t index;       /* in the envelope */
    uint32_t pos;         /* in the message: recipients of one site stand together */
    uint32_t address;     /* offset in the message's text */
    uint32_t address_n : 9, attempts : 12, state : 3, flags : 8;
};

enum { MF_TOLD = 1, MF_RECOVERED = 2, MF_NEW_SITES = 4, MF_LAX = 8, MF_QUARANTINE = 16, MF_WAY = 32, MF_EXTRA = 64 };

struct times {
    tick expires, notice;
};

/* What few messages have at a time. */
struct extra {
    struct msg *m;
    struct times times;
    struct body *mem;
    uint64_t bytes;
    struct list age, at_site;  /* while mem is there: of the queue, oldest first; of its only site */
    uint32_t untried;          /* recipients without an attempt */
    struct job *job, *running; /* a report that collects recipients; one that is being written */
};

struct msg {
    uint64_t id; /* first: struct index */
    union {
        struct times times; /* ask msg_times */
        struct extra *x;    /* with MF_EXTRA; ask msg_x */
    };
    uint32_t due;             /* place in q->due + 1; 0: no time set */
    uint32_t arrived;         /* seconds since 2024 */
    uint32_t size, tenant;    /* size: at most 4 GiB - 1 */
    uint32_t nto, undecided;  /* undecided: not delivered, bounced, ... in memory */
    uint16_t active, pending; /* tickets out; tickets whose results are not durable */
    uint16_t sender_n;
    uint8_t class, flags;
    struct rcpt to[]; /* then the text: sender, with MF_WAY an octet of length and the way, addresses */
};

#define EPOCH_S 1704067200 /* 2024-01-01 */

static inline struct msg *msg_of(struct rcpt *r)
{
    return (struct msg *)((char *)(r - r->pos) - offsetof(struct msg, to));
}
static inline struct extra *msg_x(const struct msg *m) { return m->flags & MF_EXTRA ? m->x : NULL; }
static inline struct times *msg_times(const struct msg *m)
{
    return m->flags & MF_EXTRA ? &m->x->times : (struct times *)&m->times;
}
/* In quarantine: it neither expires nor is its sender told of a delay. */
static inline bool rcpt_kept(const struct msg *m, const struct rcpt *r)
{
    return m->flags & MF_QUARANTINE && r->state == R_HELD;
}
static inline const char *msg_text(const struct msg *m) { return (const char *)&m->to[m->nto]; }
static inline str msg_sender(const struct msg *m) { return str_mem(msg_text(m), m->sender_n); }
static inline str msg_way(const struct msg *m)
{
    const char *p = msg_text(m) + m->sender_n;
    return m->flags & MF_WAY ? str_mem(p + 1, (unsigned char)*p) : S("");
}
static inline str msg_address(const struct msg *m, const struct rcpt *r)
{
    return str_mem(msg_text(m) + r->address, r->address_n);
}

/* ---- sites --------------------------------------------------------------------------------------- */

/* Ready recipients of one class and tenant at one site, and the lanes of one class there. */
struct lane {
    struct list link; /* of its level, next to be served first */
    struct list rcpts;
    struct site *site;
    uint32_t tenant;
    uint8_t class;
    bool linked;
};
struct more_lane {
    struct map_node node; /* q->lanes */
    struct lane lane;
};
struct level {
    struct list link; /* of its site, highest class first */
    struct list lanes;
    uint8_t class;
};

struct site {
    struct map_node node;
    uint32_t id;
    struct site_limits limits;
    uint32_t error; /* number of the text why it is or was closed */
    struct list levels;
    struct lane lane; /* most sites need one, and a level for it, at a time: the first of them are here */
    struct level level;
    uint32_t n[R_STATES];  /* recipients by state */
    uint32_t nrcpt;        /* all that name this site */
    uint32_t connections;  /* leases open */
    rt_time patient_until; /* until then what is ready may wait for the open ones; 0: nothing waits */
    struct list idle;      /* leases that wait for work, last come first */
    struct list fresh;     /* bodies in memory, of messages for this site alone */
    struct list starved;   /* of the queue: wants a connection, none is free */
    struct heap_node timer;
    uint32_t failures, idle_ends; /* in a row: closed; leases that ended without any attempt */
    rt_time blocked_until, next_send;
    rt_time cap_until;
    uint32_t cap; /* 0, or what the destination allows at the moment */
    bool proven;  /* it took something since it was last closed */
    uint16_t key_n;
    char key[];
};

/* ---- reports ------------------------------------------------------------------------------------- */

struct job {
    struct list link; /* q->jobs, when queued */
    struct msg *m;
    struct report rep;
    uint32_t *pos, cap; /* places of rep.to in m */
    struct arena arena;
    struct ticket *closer; /* carries the end record when the report did not */
    tick at;               /* when it starts at the latest; after an error, when it starts again */
    uint8_t tries;
    bool queued, failed;
};

/* ---- the queue ------------------------------------------------------------------------------------- */

enum { DELAYS_MAX = 64, REPORTERS = 4 };

/* The configuration as far as the queue needs it. Spans in milliseconds. */
struct queue_conf {
    int64_t delays[DELAYS_MAX];
    size_t ndelays;
    int64_t notice;
    uint32_t connections_all;
    uint64_t body_memory;
};

struct counters {
    atomic_uint_fast64_t messages, by_state[R_STATES], sites, blocked, connections;
    atomic_uint_fast64_t kept_back; /* ready recipients of closed sites: shown as waiting */
    atomic_int_fast64_t oldest_ms;
};

struct sched { /* retries, holds and releases of one turn */
    struct spool_group g;
    struct queue *queue;
    struct list link;
    uint64_t *ids; /* of holds and releases: written again if this fails */
    uint32_t n, cap;
    uint32_t records;
};

struct queue {
    struct queue_ops ops;
    struct spool *spool;
    rt_time epoch; /* tick 0 */
    struct queue_conf conf;
    bool started, stopping;
    atomic_uint_fast64_t total, most; /* recipients; their limit */
    struct counters n;

    struct index index, quarantined; /* all; those that came to be quarantined, released ones too */
    struct due due;
    struct texts texts;
    struct map sites, lanes;
    struct site **site; /* by number; 0: none */
    uint32_t nsite, site_cap, site_free;
    struct heap site_timers;
    struct list starved, spare, leases, out;
    uint32_t connections, next_loop;
    bool last_first; /* which end of `starved` is served next */
    uint32_t round;  /* counts reloads */

    struct list fresh; /* bodies in memory, oldest first */
    uint64_t fresh_bytes;

    struct msg *recovered, *recovered_last; /* chained through to[0].chain, as are those entering */
    bool taking;                            /* start_post is on its way */
    _Atomic(struct msg *) entered;
    struct post start_post, enter_post, reload_post, flush_post;
    uint64_t reload_at; /* id up to which sites are new */
    bool reloading, flushing;

    struct list pending, batch; /* tickets with results: not sent; in the group that is being written */
    struct spool_group group;
    bool writing;
    uint32_t batch_most;         /* less after a group that was too large */
    struct sched *sched;         /* being filled */
    struct list scheds, refused; /* being written; to be written again */
    rt_time retry_at;            /* when a refused group is tried again */
    uint64_t decided, durable;   /* tickets: given to `pending`; of them on disk, in that order */
    struct cond settled;         /* `durable` moved */

    struct list jobs;
    uint32_t reporters;
    struct timer timer;
    rt_time armed;
    struct fiber *drainer; /* keeps the loop until what leases bring back is with the spool */
};

/* A text of our own for people, RFC 3463 status included. */
#define BOUNCE_TEXT "554 5.7.1 Returned by an operator of this server"

static inline uint64_t cnt_get(const atomic_uint_fast64_t *c) { return atomic_load_explicit(c, memory_order_relaxed); }
/* Only the owner writes: no locked instruction is needed. */
static inline void cnt_add(atomic_uint_fast64_t *c, int64_t by)
{
    atomic_store_explicit(c, cnt_get(c) + (uint64_t)by, memory_order_relaxed);
}

/* time.c: ticks, the timer, what happens at a message's times */
tick tick_now(const struct queue *q);
tick tick_after(const struct queue *q, int64_t ms); /* rounded up */
tick tick_at_wall(const struct queue *q, int64_t wall_ms);
/* No attempt is planned for later than this, unless the wall clock was ahead when that was written down. */
tick tick_latest(const struct queue *q);
int64_t tick_wall_ms(const struct queue *q, tick t);
tick retry_tick(struct queue *q, const struct msg *m, unsigned attempts, rt_time not_before);
int64_t with_jitter(int64_t ms);                       /* 0 to 10 % more */
void msg_due(struct queue *q, struct msg *m, tick at); /* at the latest then */
void queue_arm(struct queue *q);
void queue_timer(struct timer *t);
void queue_take_recovered(struct queue *q); /* begins to admit them */

/* queue.c */
void queue_drained(struct queue *q); /* after a stop: something else has come to its end */

/* message.c: building, entering, states, bodies in memory, freeing */
struct msg *msg_new(struct queue *q, const struct envelope *env, const struct rcpt_status *state, struct body *mem);
err msg_admit(struct queue *q, struct msg *m);
void msg_free(struct queue *q, struct msg *m);    /* an admitted one */
void msg_free_bare(struct msg *m);                /* one that the owner never had */
void msg_release(struct queue *q, struct msg *m); /* frees it if nothing is left of it */
struct extra *msg_extra(struct msg *m);           /* NULL: no memory */
void extra_tidy(struct msg *m);
void body_forget(struct queue *q, struct msg *m);
void bodies_trim(struct queue *q);
void rcpt_state(struct queue *q, struct rcpt *r, enum rstate to);
void rcpt_ready(struct queue *q, struct rcpt *r, bool front); /* into its lane; pumps nothing */
void rcpt_wait(struct queue *q, struct rcpt *r, tick next);
void rcpt_done(struct queue *q, struct rcpt *r);
void rcpt_resolve(struct queue *q, struct rcpt *r); /* its site, anew; READY ones stay ready in the new one */
void msg_pump(struct queue *q, struct msg *m);      /* the sites of its ready recipients */
str rcpt_error(const struct queue *q, const struct rcpt *r);

/* site.c */
uint32_t site_get(struct queue *q, str key, const struct site_limits *l); /* a reference; 0: no memory */
void site_unref(struct queue *q, uint32_t id);
void site_tidy(struct queue *q, struct site *s); /* frees it if nothing needs it */
void site_push(struct queue *q, struct rcpt *r, bool front);
void site_take_out(struct rcpt *r);
struct rcpt *site_next(struct queue *q, struct site *s); /* the next to be served, still in its lane; turns the round */
uint32_t site_tickets(const struct site *s, uint32_t enough);
void site_block(struct queue *q, struct site *s, int64_t ms, str why);
void site_open(struct queue *q, struct site *s); /* ends a block */
void site_failed(struct queue *q, struct site *s, str why);
void site_timer(struct queue *q, struct site *s); /* its time has come */
void site_wake_at(struct queue *q, struct site *s, rt_time at);
bool site_blocked(const struct site *s);
bool site_works(const struct queue *q, const struct site *s);
void sites_free(struct queue *q);

/* pump.c: tickets for leases, leases for sites */
void site_pump(struct queue *q, struct site *s);
void leases_close_idle(struct queue *q);
void owner_asked(struct post *p);
void owner_ending(struct post *p);
void lease_free(struct lease *l);
void ticket_free(struct ticket *t);
struct ticket *ticket_new(struct queue *q, struct msg *m, uint32_t n);
void starved_pump(struct queue *q);

/* lease.c: the lease's own half */
void lease_start(struct post *p);
void lease_answer(struct post *p);

/* done.c: what an attempt brought */
enum { FATE_REMOVED = 64, FATE_UNTOLD /* relayed, and a report of it is owed */ };
void owner_done(struct post *p);
void rcpt_end(struct queue *q, struct rcpt *r, uint8_t outcome, str reply, str remote);
void rcpt_tell(struct queue *q, struct rcpt *r);        /* RF_UNTOLD */
void ticket_decided(struct queue *q, struct ticket *t); /* its ENDING recipients go into the next group */

/* settle.c: groups for the spool */
void settle_soon(struct queue *q);
void settle(struct queue *q);
void sched_add(struct queue *q, const struct rcpt *r, bool durable);
void settle_free(struct queue *q);

/* report.c */
bool job_add(struct queue *q, struct rcpt *r, uint8_t outcome, str reply, str remote);
void job_try(struct queue *q, struct msg *m);
void jobs_try_all(struct queue *q); /* at a stop */
void job_notice(struct queue *q, struct msg *m);
void job_free(struct job *j);
tick job_due(const struct msg *m);
void reporters_start(struct queue *q);

#endif
