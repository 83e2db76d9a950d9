/*
 * Moving ready recipients out: tickets for leases that wait, new leases where there is more work than
 * the open ones will take. A destination in an unknown state gets one connection and one message first.
 */
#include "queue/internal.h"

#include <stdlib.h>

enum {
    TAKE_MAX = 1024,    /* tickets in one answer */
    BEHIND = 2,         /* messages that may wait for each open connection before one more is made ... */
    PATIENCE_MS = 1000, /* ... or longer than this */
    SHARE_AFTER = 50,   /* messages after which a connection makes room for destinations without one */
    PAUSE_MS = 100,     /* after no memory */
};

/* ---- tickets ---- */

struct ticket *ticket_new(struct queue *q, struct msg *m, uint32_t n)
{
    size_t to = n * sizeof(struct ticket_rcpt);
    struct ticket *t = calloc(1, sizeof *t + to + n * sizeof(uint32_t));
    if (!t)
        return NULL;
    list_init(&t->link);
    list_push_back(&q->out, &t->out);
    t->id = m->id;
    t->msg = m;
    t->to = (struct ticket_rcpt *)(t + 1);
    t->pos = (uint32_t *)((char *)t->to + to);
    t->nto = n;
    arena_init(&t->arena, 256, 65536 + (size_t)n * 2048);
    return t;
}

void ticket_free(struct ticket *t)
{
    body_drop(&t->mem);
    arena_free(&t->arena);
    list_remove(&t->out);
    free(t);
}

/* The recipient and those after it in its message that can go with it: their number; with `t`, into it. */
static uint32_t gather(struct queue *q, const struct site *s, struct rcpt *first, struct ticket *t)
{
    struct msg *m = msg_of(first);
    uint32_t most = s->limits.recipients, n = 0, looked = 0;
    for (uint32_t i = first->pos; i < m->nto && n < most && looked / 4 <= most; i++, looked++) {
        struct rcpt *r = &m->to[i];
        if (r->state != R_READY || r->site != s->id)
            continue;
        if (t) {
            rcpt_state(q, r, R_ACTIVE);
            t->pos[n] = i;
            t->to[n] = (struct ticket_rcpt){.index = r->index,
                                            .attempts = r->attempts,
                                            .released = r->flags & RF_RELEASED,
                                            .address = msg_address(m, r)};
        }
        n++;
    }
    return n;
}

static struct ticket *ticket_next(struct queue *q, struct site *s)
{
    struct rcpt *r = site_next(q, s);
    struct msg *m = r ? msg_of(r) : NULL;
    if (!r || m->active == UINT16_MAX)
        return NULL;
    struct ticket *t = ticket_new(q, m, gather(q, s, r, NULL));
    if (!t)
        return NULL;
    gather(q, s, r, t);
    m->active++;
    if (msg_x(m) && msg_x(m)->mem)
        t->mem = body_ref(msg_x(m)->mem);
    return t;
}

/* ---- leases ---- */

static uint32_t connections_allowed(const struct site *s)
{
    return s->cap && s->cap < s->limits.connections ? s->cap : s->limits.connections;
}

static void answer(struct lease *l)
{
    l->open_ask = false;
    list_remove(&l->idle);
    list_remove(&l->spare);
    l->answer.run = lease_answer;
    rt_post(l->loop, &l->answer);
}

static void finish(struct lease *l)
{
    l->finish = true;
    answer(l);
}

/* As many as it may have now: its share of what is ready, one while nothing is known of the destination, one
 * when a rate spaces them out. */
static uint32_t allowance(const struct site *s, const struct lease *l)
{
    if (!s->proven || s->limits.rate)
        return 1;
    uint32_t n = l->want < TAKE_MAX ? l->want : TAKE_MAX;
    uint32_t share = (s->n[R_READY] + s->connections - 1) / s->connections;
    if (l->limits.messages_per_connection && n > l->limits.messages_per_connection - l->taken)
        n = l->limits.messages_per_connection - l->taken;
    return n < share ? n : share;
}

/* Up to `most` tickets into the lease's next post: their number. */
static uint32_t load(struct queue *q, struct site *s, struct lease *l, uint32_t most)
{
    uint32_t n = 0;
    for (; n < most && s->n[R_READY]; n++) {
        struct ticket *t = ticket_next(q, s);
        if (!t)
            break;
        t->lease = l;
        list_push_back(&l->sent, &t->link);
        if (s->limits.rate)
            s->next_send = rt_now() + 60 * RT_S / s->limits.rate;
    }
    l->taken += n;
    return n;
}

static bool feed(struct queue *q, struct lease *l)
{
    struct site *s = l->site;
    uint32_t n = load(q, s, l, allowance(s, l));
    if (n)
        answer(l);
    else
        s->next_send = rt_now() + PAUSE_MS * RT_MS;
    return n != 0;
}

static bool lease_open(struct queue *q, struct site *s)
{
    struct lease *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    memcpy(l->key, s->key, s->key_n);
    l->limits = s->limits;
    l->loop = rt_loop((int)(q->next_loop++ % (uint32_t)rt_nloops()));
    l->queue = q;
    l->site = s;
    l->round = q->round;
    list_init(&l->tickets);
    list_init(&l->sent);
    list_init(&l->idle);
    list_init(&l->spare);
    list_push_back(&q->leases, &l->all);
    s->connections++;
    q->connections++;
    cnt_add(&q->n.connections, 1);
    load(q, s, l, 1);
    l->answer.run = lease_start;
    rt_post(l->loop, &l->answer);
    return true;
}

void lease_free(struct lease *l)
{
    list_remove(&l->all);
    free(l);
}

/* Little work, but it does not get done: the open connections are slow. */
static bool impatient(struct queue *q, struct site *s)
{
    rt_time now = rt_now();
    bool over = s->patient_until && now >= s->patient_until;
    if (over || !s->patient_until)
        s->patient_until = now + PATIENCE_MS * RT_MS;
    if (!over)
        site_wake_at(q, s, s->patient_until);
    return over;
}

static bool lease_wanted(struct queue *q, struct site *s)
{
    if (s->connections >= connections_allowed(s) || (!s->proven && s->connections))
        return false;
    if (s->connections && site_tickets(s, s->connections * BEHIND) <= s->connections * BEHIND && !impatient(q, s))
        return false;
    if (q->connections < q->conf.connections_all)
        return true;
    if (!s->connections && list_empty(&s->starved)) {
        list_push_back(&q->starved, &s->starved);
        if (!list_empty(&q->spare)) /* it needs a connection more than the place where one is idle longest */
            finish(container_of(q->spare.next, struct lease, spare));
    }
    return false;
}

void leases_close_idle(struct queue *q)
{
    while (!list_empty(&q->spare))
        finish(container_of(q->spare.next, struct lease, spare));
}

void site_pump(struct queue *q, struct site *s)
{
    if (q->stopping || !q->started || site_blocked(s))
        return;
    while (s->n[R_READY]) {
        if (rt_now() < s->next_send) {
            site_wake_at(q, s, s->next_send);
            return;
        }
        if (!list_empty(&s->idle))
            feed(q, container_of(s->idle.next, struct lease, idle));
        else if (!lease_wanted(q, s) || !lease_open(q, s))
            return;
    }
    s->patient_until = 0;
}

/* In turn the one that has waited longest and the one that came last: new mail does not wait behind the thousands of
 * destinations of a backlog, and none of them waits for ever. */
void starved_pump(struct queue *q)
{
    while (q->connections < q->conf.connections_all && !list_empty(&q->starved)) {
        q->last_first = !q->last_first;
        struct list *n = q->last_first ? q->starved.prev : q->starved.next;
        list_remove(n);
        site_pump(q, container_of(n, struct site, starved));
    }
}

/* ---- what leases say ---- */

static bool must_end(const struct queue *q, const struct lease *l)
{
    const struct site *s = l->site;
    return q->stopping || l->round != q->round ||
           (l->limits.messages_per_connection && l->taken >= l->limits.messages_per_connection) ||
           s->connections > connections_allowed(s) ||
           (!list_empty(&q->starved) && (s->connections > 1 || l->taken >= SHARE_AFTER));
}

void owner_asked(struct post *p)
{
    struct lease *l = container_of(p, struct lease, ask);
    struct queue *q = l->queue;
    struct site *s = l->site;
    if (l->bye) {
        lease_free(l);
        return;
    }
    l->open_ask = true;
    if (l->returned && !site_blocked(s))
        s->proven = true; /* it goes on after an attempt, so it has a connection */
    if (must_end(q, l)) {
        finish(l);
    } else {
        list_push_front(&s->idle, &l->idle);
        list_push_back(&q->spare, &l->spare);
    }
    site_pump(q, s);
    if (l->open_ask && l->until <= rt_now()) /* it only wanted to know */
        answer(l);
    queue_arm(q);
}

/* The only connection ended without any attempt and without a reason: again, but not at once. */
static void ended_idly(struct site *s, bool unstarted)
{
    if (!s->n[R_READY] || s->connections)
        return;
    int64_t ms = PAUSE_MS << (s->idle_ends < 6 ? s->idle_ends++ : 6);
    if (unstarted && ms < 1000)
        ms = 1000;
    rt_time at = rt_now() + ms * RT_MS;
    if (s->next_send < at)
        s->next_send = at;
}

void owner_ending(struct post *p)
{
    struct lease *l = container_of(p, struct lease, ending);
    struct queue *q = l->queue;
    struct site *s = l->site;
    s->connections--;
    q->connections--;
    cnt_add(&q->n.connections, -1);
    list_remove(&l->idle);
    list_remove(&l->spare);
    l->site = NULL;
    bool down = l->down != OK && l->down != E_CANCELLED;
    if (l->worked)
        s->failures = 0;
    if (down && !l->worked && !l->unstarted)
        site_failed(q, s, str_mem(l->why, l->why_n));
    else if (!l->returned && !l->finish)
        ended_idly(s, l->unstarted);
    bool answer_travels = l->asked && !l->open_ask;
    if (!answer_travels)
        lease_free(l);
    starved_pump(q);
    site_pump(q, s);
    site_tidy(q, s);
    queue_drained(q);
    queue_arm(q);
}
