/* The queue's life: made, filled by recovery, started, reloaded, stopped; and the way in for new messages. */
#include "queue/internal.h"

#include <stdlib.h>

enum {
    SLICE = 1000,    /* messages taken up in one turn of the loop */
    DRAIN_TRIES = 50 /* at a stop, of what could not be written: five seconds */
};
#define DRAIN_PAUSE (100 * RT_MS)

err queue_new(struct queue **ret, const struct queue_ops *ops)
{
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        return E_NOMEM;
    q->ops = *ops;
    q->epoch = rt_now_fresh();
    q->retry_at = q->armed = RT_NEVER;
    q->timer.fn = queue_timer;
    q->batch_most = 1000;
    q->conf = (struct queue_conf){.delays = {300000}, .ndelays = 1, .connections_all = 1000, .body_memory = 256u << 20};
    atomic_store(&q->most, UINT64_MAX);
    list_init(&q->starved);
    list_init(&q->spare);
    list_init(&q->leases);
    list_init(&q->out);
    list_init(&q->fresh);
    list_init(&q->pending);
    cond_init(&q->settled);
    list_init(&q->batch);
    list_init(&q->scheds);
    list_init(&q->refused);
    list_init(&q->jobs);
    *ret = q;
    return OK;
}

static void take_conf(struct queue *q, const struct conf *c)
{
    struct queue_conf *o = &q->conf;
    size_t n = c->queue_delays.n < DELAYS_MAX ? c->queue_delays.n : DELAYS_MAX;
    for (size_t i = 0; i < n; i++)
        o->delays[i] = c->queue_delays.v[i] / RT_MS;
    if (n)
        o->ndelays = n;
    o->notice = c->queue_delay_notice / RT_MS;
    o->connections_all = c->queue_connections_all > 0 ? (uint32_t)c->queue_connections_all : 1;
    o->body_memory = (uint64_t)c->body_memory;
    atomic_store(&q->most, (uint64_t)c->queue_max_recipients);
}

static void count_in(struct queue *q, const struct msg *m)
{
    atomic_fetch_add_explicit(&q->total, m->nto, memory_order_relaxed);
    metric_add(M_queue_recipients, m->nto);
}

static void lost_until_start(void)
{
    rt_log(EV_bug, log_c("queue"),
           log_c("no memory for an entry; its message stays in the spool until the next start"));
}

/* ---- from recovery ---- */

static void recovered_push(struct queue *q, struct msg *m)
{
    m->to[0].chain = NULL;
    if (q->recovered)
        q->recovered_last->to[0].chain = m;
    else
        q->recovered = m;
    q->recovered_last = m;
}

static struct msg *recovered_pop(struct queue *q)
{
    struct msg *m = q->recovered;
    if (m)
        q->recovered = m->to[0].chain;
    return m;
}

void queue_recovered(void *queue, const struct envelope *env, const struct rcpt_status *state)
{
    struct queue *q = queue;
    struct msg *m = msg_new(q, env, state, NULL);
    if (!m) {
        lost_until_start();
        return;
    }
    for (uint32_t i = 0; i < m->nto; i++)
        m->to[i].reply = texts_get(&q->texts, state[m->to[i].index].reply);
    count_in(q, m);
    recovered_push(q, m);
}

/* Without memory for a place in the queue it goes back among the recovered ones, for which the timer comes again. */
static bool admit(struct queue *q, struct msg *m)
{
    if (msg_admit(q, m)) {
        recovered_push(q, m);
        if (q->retry_at == RT_NEVER)
            q->retry_at = rt_now() + RT_S / 5;
        return false;
    }
    msg_pump(q, m);
    return true;
}

static void start_slice(struct post *p)
{
    struct queue *q = container_of(p, struct queue, start_post);
    struct msg *m = NULL;
    q->taking = false;
    for (int i = 0; i < SLICE && (m = recovered_pop(q)); i++)
        if (!admit(q, m)) {
            m = NULL;
            break;
        }
    queue_arm(q);
    if (m)
        queue_take_recovered(q);
}

void queue_take_recovered(struct queue *q)
{
    if (!q->recovered || q->taking)
        return;
    q->taking = true;
    q->start_post.run = start_slice;
    rt_post(rt_loop(0), &q->start_post);
}

void queue_start(struct queue *q, struct spool *s, struct conf *c)
{
    q->spool = s;
    take_conf(q, c);
    q->started = true;
    queue_take_recovered(q);
}

/* ---- new messages ---- */

/* Messages enter by a stack that any thread pushes on; the first one on an empty stack wakes the owner. */
static void enter(struct post *p)
{
    struct queue *q = container_of(p, struct queue, enter_post);
    struct msg *m = atomic_exchange(&q->entered, NULL), *oldest = NULL;
    while (m) {
        struct msg *next = m->to[0].chain;
        m->to[0].chain = oldest;
        oldest = m;
        m = next;
    }
    while (oldest) {
        m = oldest;
        oldest = m->to[0].chain;
        if (q->started)
            admit(q, m);
        else
            recovered_push(q, m);
    }
    if (q->started)
        queue_arm(q);
}

static err push(struct queue *q, struct msg *m)
{
    if (!m) {
        lost_until_start();
        return E_NOMEM;
    }
    count_in(q, m);
    struct msg *old = atomic_load_explicit(&q->entered, memory_order_relaxed);
    do
        m->to[0].chain = old;
    while (!atomic_compare_exchange_weak(&q->entered, &old, m));
    if (!old) {
        q->enter_post.run = enter;
        rt_post(rt_loop(0), &q->enter_post);
    }
    return OK;
}

/* The message is durable: its fiber waits for the memory, rather than that it waits for the next start. */
static struct msg *new_at_last(struct queue *q, const struct envelope *env, const struct rcpt_status *state,
                               struct body *mem)
{
    struct msg *m;
    while (!(m = msg_new(q, env, state, mem)) && fiber_self() && fiber_sleep(rt_after(RT_S / 10)) == OK)
        ;
    return m;
}

err queue_accept(struct queue *q, const struct envelope *env, struct body *mem)
{
    return push(q, new_at_last(q, env, NULL, mem));
}

err queue_accept_as(struct queue *q, const struct envelope *env, const struct rcpt_status *state)
{
    struct msg *m = new_at_last(q, env, state, NULL);
    for (uint32_t i = 0; m && i < m->nto; i++)
        m->to[i].reply = texts_get(&q->texts, state[m->to[i].index].reply);
    return push(q, m);
}

err queue_room(struct queue *q, uint32_t recipients)
{
    uint64_t have = atomic_load_explicit(&q->total, memory_order_relaxed);
    uint64_t most = atomic_load_explicit(&q->most, memory_order_relaxed);
    return have + recipients <= most ? OK : E_QUEUE_FULL;
}

/* ---- reload and stop ---- */

static void reload_slice(struct post *p)
{
    struct queue *q = container_of(p, struct queue, reload_post);
    struct msg *m = NULL;
    for (int i = 0; i < SLICE && (m = ids_next(&q->index, q->reload_at)); i++) {
        q->reload_at = m->id;
        for (uint32_t k = 0; k < m->nto; k++)
            if (m->to[k].state <= R_HELD)
                rcpt_resolve(q, &m->to[k]);
        msg_pump(q, m);
    }
    queue_arm(q);
    q->reloading = m != NULL;
    if (m)
        rt_post(rt_loop(0), p);
}

void queue_reload(struct queue *q, struct conf *c)
{
    take_conf(q, c);
    q->round++; /* open leases end when they ask next: new ones have the new limits */
    leases_close_idle(q);
    q->reload_at = 0;
    if (!q->reloading) {
        q->reloading = true;
        q->reload_post.run = reload_slice;
        rt_post(rt_loop(0), &q->reload_post);
    }
}

static bool busy(const struct queue *q)
{
    return q->connections || q->reporters || q->writing || q->sched || !list_empty(&q->pending) ||
           !list_empty(&q->jobs);
}

/* What could not be written for want of memory is tried again at once. A disk that fails is not waited for long, though
 * what it cannot keep will be delivered again. */
static void drain(void *arg)
{
    struct queue *q = arg;
    fiber_shield(true);
    for (int tries = 0; busy(q);) {
        if (q->retry_at == RT_NEVER) {
            if (fiber_park(RT_NEVER))
                break;
            continue;
        }
        if (tries++ == DRAIN_TRIES || (tries > 1 && fiber_sleep(rt_after(DRAIN_PAUSE))))
            break;
        q->retry_at = RT_NEVER;
        settle(q);
        reporters_start(q);
    }
    q->drainer = NULL;
}

void queue_drained(struct queue *q)
{
    if (q->drainer)
        fiber_wake(q->drainer);
}

void queue_stop(struct queue *q)
{
    if (q->stopping)
        return;
    q->stopping = true;
    if (!rt_self()) /* loops have ended */
        return;
    leases_close_idle(q);
    jobs_try_all(q); /* no attempt follows that would be worth waiting for */
    q->drainer = fiber_spawn(drain, q, "queue drain");
}

void queue_free(struct queue **queue)
{
    struct queue *q = *queue;
    if (!q)
        return;
    *queue = NULL;
    for (struct msg *m; (m = ids_first(&q->index));)
        msg_free(q, m);
    for (struct msg *m; (m = recovered_pop(q));)
        msg_free_bare(m);
    for (struct msg *m = atomic_load(&q->entered), *next; m; m = next) {
        next = m->to[0].chain;
        msg_free_bare(m);
    }
    while (!list_empty(&q->out))
        ticket_free(container_of(q->out.next, struct ticket, out));
    while (!list_empty(&q->leases))
        lease_free(container_of(q->leases.next, struct lease, all));
    settle_free(q);
    sites_free(q);
    texts_free(&q->texts);
    ids_free(&q->index);
    ids_free(&q->quarantined);
    wait_free(&q->due);
    free(q);
}
