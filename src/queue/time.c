/*
 * Time in the queue. Schedules are kept on the monotonic clock, so that a step of the wall clock moves
 * nothing; wall times are only taken in (deadlines of envelopes, schedules of the spool) and shown.
 */
#include "queue/internal.h"

enum {
    SLICE = 2000, /* messages looked at in one turn */
    MANY = 64,    /* from so many recipients on ... */
    COARSE = 20,  /* ... times are rounded up to so many ticks, and a message is looked through less often */
};

static int64_t now_ms(const struct queue *q) { return (rt_now() - q->epoch) / RT_MS; }

static tick tick_of(int64_t ms)
{
    int64_t t = ms <= 0 ? 0 : (ms - 1) / TICK_MS + 1;
    return t < TICK_NEVER - 1 ? (tick)t : TICK_NEVER - 1;
}

static rt_time tick_time(const struct queue *q, tick t) { return q->epoch + t * (TICK_MS * RT_MS); }

tick tick_now(const struct queue *q) { return (tick)(now_ms(q) / TICK_MS); }

tick tick_after(const struct queue *q, int64_t ms) { return tick_of(ms > INT64_MAX / 2 ? ms : now_ms(q) + ms); }

tick tick_at_wall(const struct queue *q, int64_t wall_ms) { return tick_after(q, wall_ms - rt_wall_ms()); }

int64_t tick_wall_ms(const struct queue *q, tick t) { return rt_wall_ms() + (int64_t)t * TICK_MS - now_ms(q); }

int64_t with_jitter(int64_t ms) { return ms + (int64_t)rt_random_below((uint64_t)ms / 10 + 1); }

/* The next attempt after `attempts` of them (at least 1): never after the message's end. */
tick retry_tick(struct queue *q, const struct msg *m, unsigned attempts, rt_time not_before)
{
    size_t last = q->conf.ndelays - 1, i = attempts ? attempts - 1 : 0;
    tick t = tick_after(q, with_jitter(q->conf.delays[i < last ? i : last]));
    tick least = not_before ? tick_of((not_before - q->epoch + RT_MS - 1) / RT_MS) : 0;
    if (t < least)
        t = least;
    if (m->nto > MANY)
        t += COARSE - 1 - (t - 1) % COARSE;
    return t < msg_times(m)->expires ? t : msg_times(m)->expires;
}

tick tick_latest(const struct queue *q)
{
    int64_t most = 0;
    for (size_t i = 0; i < q->conf.ndelays; i++)
        if (q->conf.delays[i] > most)
            most = q->conf.delays[i];
    return tick_after(q, 2 * most);
}

void msg_due(struct queue *q, struct msg *m, tick at)
{
    if (at < wait_when(&q->due, m))
        wait_set(&q->due, m, at);
}

/* When the message must be looked at again; later than now. */
static tick next_look(const struct queue *q, const struct msg *m)
{
    tick now = tick_now(q), at = job_due(m);
    bool open = false;
    for (uint32_t i = 0; i < m->nto; i++) {
        const struct rcpt *r = &m->to[i];
        if ((r->state == R_WAITING || r->flags & RF_UNTOLD) && r->next < at)
            at = r->next;
        open |= r->state <= R_ACTIVE && !rcpt_kept(m, r);
    }
    if (open && msg_times(m)->expires > now &&
        msg_times(m)->expires < at) /* those active after it are told when they come back */
        at = msg_times(m)->expires;
    if (open && !(m->flags & MF_TOLD) && msg_times(m)->notice < at)
        at = msg_times(m)->notice;
    return at > now ? at : now + 1;
}

static void look(struct queue *q, struct msg *m)
{
    tick now = tick_now(q);
    bool over = now >= msg_times(m)->expires, waits = false;
    for (uint32_t i = 0; i < m->nto; i++) {
        struct rcpt *r = &m->to[i];
        if (rcpt_kept(m, r))
            continue;
        waits |= r->state <= R_ACTIVE;
        if (over && r->state <= R_HELD) {
            str why = rcpt_error(q, r);
            rcpt_end(q, r, OUT_EXPIRED, why, (str){NULL, 0});
        } else if (r->state == R_WAITING && r->next <= now) {
            rcpt_ready(q, r, false);
        } else if (r->flags & RF_UNTOLD && r->next <= now) {
            rcpt_tell(q, r);
        }
    }
    if (waits && !over && !(m->flags & MF_TOLD) && now >= msg_times(m)->notice)
        job_notice(q, m);
    job_try(q, m);
    msg_pump(q, m);
    wait_set(&q->due, m, next_look(q, m));
}

void queue_arm(struct queue *q)
{
    rt_time at = q->retry_at;
    tick first = wait_first(&q->due);
    if (first != TICK_NEVER && tick_time(q, first) < at)
        at = tick_time(q, first);
    struct heap_node *n = heap_min(&q->site_timers);
    if (n && n->key < at)
        at = n->key;
    if (at == q->armed)
        return;
    q->armed = at;
    if (at == RT_NEVER)
        timer_stop(&q->timer);
    else
        timer_set(&q->timer, at);
}

void queue_timer(struct timer *t)
{
    struct queue *q = container_of(t, struct queue, timer);
    q->armed = RT_NEVER;
    tick now = tick_now(q);
    for (int i = 0; i < SLICE && wait_first(&q->due) <= now; i++)
        look(q, q->due.m[0]);
    for (struct heap_node *n; (n = heap_min(&q->site_timers)) && n->key <= rt_now();) {
        heap_remove(&q->site_timers, n);
        site_timer(q, container_of(n, struct site, timer));
    }
    if (q->retry_at <= rt_now()) {
        q->retry_at = RT_NEVER;
        settle(q);
        reporters_start(q);
        queue_take_recovered(q);
    }
    queue_arm(q);
}
