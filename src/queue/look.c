/* Looking at the queue: entries in order of arrival, counters, the busiest sites. */
#include "queue/internal.h"

static bool contains(str s, str part)
{
    if (part.n > s.n)
        return false;
    for (size_t i = 0; i + part.n <= s.n; i++)
        if (str_ieq(str_sub(s, i, i + part.n), part))
            return true;
    return false;
}

static int64_t arrived_ms(const struct msg *m) { return ((int64_t)m->arrived + EPOCH_S) * 1000; }

static bool wants_message(const struct queue_filter *f, const struct msg *m)
{
    int64_t age = rt_wall_ms() - arrived_ms(m);
    if (f->id && f->id != m->id)
        return false;
    if (f->quarantine && !(m->flags & MF_QUARANTINE))
        return false;
    if (f->sender.n && (str_eq(f->sender, S("<>")) ? m->sender_n != 0 : !contains(msg_sender(m), f->sender)))
        return false;
    return (f->tenant < 0 || f->tenant == m->tenant) && (f->older_ms <= 0 || age >= f->older_ms) &&
           (f->younger_ms <= 0 || age <= f->younger_ms);
}

static bool wants_entry(const struct queue_filter *f, const struct queue_entry *e, bool held)
{
    return (!f->quarantine || e->quarantine) && (f->held < 0 || (f->held != 0) == held) &&
           contains(e->address, f->recipient) && contains(e->site, f->site) && contains(e->reply, f->error);
}

static const char *const names[R_STATES] = {[R_READY] = "ready",   [R_WAITING] = "waiting", [R_HELD] = "held",
                                            [R_ACTIVE] = "active", [R_ENDING] = "active",   [R_DONE] = "active"};

static int64_t time_wall_ms(rt_time t) { return rt_wall_ms() + (t - rt_now()) / RT_MS; }

static struct queue_entry entry_of(const struct queue *q, const struct msg *m, const struct rcpt *r)
{
    const struct site *s = r->site ? q->site[r->site] : NULL;
    struct queue_entry e = {
        .id = m->id,
        .arrived_ms = arrived_ms(m),
        .expires_ms = tick_wall_ms(q, msg_times(m)->expires),
        .sender = msg_sender(m),
        .address = msg_address(m, r),
        .reply = rcpt_error(q, r),
        .size = m->size,
        .index = r->index,
        .tenant = m->tenant,
        .attempts = r->attempts,
        .state = names[r->state],
        .quarantine = rcpt_kept(m, r),
    };
    if (s)
        e.site = str_mem(s->key, s->key_n);
    if (r->state == R_WAITING)
        e.next_ms = tick_wall_ms(q, r->next);
    if (r->state == R_READY && s && site_blocked(s)) {
        e.next_ms = time_wall_ms(s->blocked_until);
        e.state = names[R_WAITING];
    }
    return e;
}

bool queue_walk(struct queue *q, const struct queue_filter *f, uint64_t *cursor, size_t budget,
                void (*each)(void *arg, const struct queue_entry *e), void *arg)
{
    const struct index *in = f->quarantine ? &q->quarantined : &q->index;
    if (f->id && *cursor < f->id - 1)
        *cursor = f->id - 1;
    for (struct msg *m; (m = ids_next(in, *cursor));) {
        if (f->id && m->id != f->id)
            return false;
        if (!budget)
            return true;
        *cursor = m->id;
        budget -= m->nto < budget ? m->nto : budget;
        if (!wants_message(f, m))
            continue;
        for (uint32_t i = 0; i < m->nto; i++) {
            if (m->to[i].state == R_DONE)
                continue;
            struct queue_entry e = entry_of(q, m, &m->to[i]);
            if (wants_entry(f, &e, m->to[i].state == R_HELD))
                each(arg, &e);
        }
    }
    return false;
}

void queue_stats(struct queue *q, struct queue_stats *ret)
{
    const struct counters *n = &q->n;
    uint64_t ready = cnt_get(&n->by_state[R_READY]), kept_back = cnt_get(&n->kept_back);
    kept_back = kept_back < ready ? kept_back : ready; /* read while they change */
    *ret = (struct queue_stats){
        .messages = cnt_get(&n->messages),
        .recipients = atomic_load_explicit(&q->total, memory_order_relaxed),
        .ready = ready - kept_back,
        .waiting = cnt_get(&n->by_state[R_WAITING]) + kept_back,
        .active = cnt_get(&n->by_state[R_ACTIVE]) + cnt_get(&n->by_state[R_ENDING]),
        .held = cnt_get(&n->by_state[R_HELD]),
        .sites = cnt_get(&n->sites),
        .blocked_sites = cnt_get(&n->blocked),
        .connections = cnt_get(&n->connections),
        .body_bytes = (uint64_t)metric_read(M_body_bytes),
        .oldest_ms = atomic_load_explicit(&n->oldest_ms, memory_order_relaxed),
    };
}

static uint64_t weight(const struct queue_site *s) { return s->ready + s->waiting + s->connections; }

static struct queue_site describe(const struct queue *q, const struct site *s)
{
    return (struct queue_site){
        .key = str_mem(s->key, s->key_n),
        .ready = site_blocked(s) ? 0 : s->n[R_READY],
        .waiting = s->n[R_WAITING] + (site_blocked(s) ? s->n[R_READY] : 0),
        .connections = s->connections,
        .blocked_until_ms = site_blocked(s) ? time_wall_ms(s->blocked_until) : 0,
        .error = texts_str(&q->texts, s->error),
    };
}

/* Before: by weight, then by key, so that equal ones do not depend on the table's order. */
static bool before(const struct queue_site *a, const struct queue_site *b)
{
    return weight(a) != weight(b) ? weight(a) > weight(b) : str_cmp(a->key, b->key) < 0;
}

size_t queue_sites(struct queue *q, struct queue_site *v, size_t n)
{
    size_t have = 0;
    struct map_iter it = map_begin(&q->sites);
    for (struct map_node *node; n && (node = map_each(&it));) {
        struct queue_site s = describe(q, container_of(node, struct site, node));
        if (have == n && !before(&s, &v[n - 1]))
            continue;
        size_t i = have < n ? have++ : n - 1;
        for (; i && before(&s, &v[i - 1]); i--)
            v[i] = v[i - 1];
        v[i] = s;
    }
    return have;
}
