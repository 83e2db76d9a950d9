/*
 * A lease's own half: it lives on the loop of its fiber and talks to the owner by three posts. `ask` and
 * `answer` alternate, so that neither side touches what the other has in hand; `ending` comes once.
 * When an answer crosses the ending, its tickets go back untouched and the owner is told when it may
 * free the lease.
 */
#include "queue/internal.h"

static void unpack(struct lease *l)
{
    for (struct list *n; (n = list_pop_front(&l->sent));)
        list_push_back(&l->tickets, n);
}

void lease_start(struct post *p)
{
    struct lease *l = container_of(p, struct lease, answer);
    struct queue *q = l->queue;
    unpack(l);
    if (q->ops.start(q->ops.arg, l))
        return;
    l->unstarted = true;
    queue_end(l, E_NOMEM, (str){NULL, 0});
}

static void ask(struct lease *l)
{
    l->ask.run = owner_asked;
    rt_post(rt_loop(0), &l->ask);
}

static void give_back(struct lease *l)
{
    for (struct list *n; (n = list_pop_front(&l->tickets));) {
        struct ticket *t = container_of(n, struct ticket, link);
        for (uint32_t i = 0; i < t->nto; i++)
            t->to[i].fate = FATE_NONE;
        queue_done(l, t);
    }
}

void lease_answer(struct post *p)
{
    struct lease *l = container_of(p, struct lease, answer);
    unpack(l);
    if (l->ended) {
        give_back(l);
        l->bye = true;
        ask(l);
        return;
    }
    l->asked = false;
    l->over = l->finish;
    if (l->waiter)
        fiber_wake(l->waiter);
}

static size_t hand_out(struct lease *l, struct ticket **out, size_t max)
{
    size_t n = 0;
    while (n < max && !list_empty(&l->tickets))
        out[n++] = container_of(list_pop_front(&l->tickets), struct ticket, link);
    l->handed |= n != 0;
    return n;
}

#define POLL_TIME RT_S /* for the owner's answer to one that does not wait */

size_t queue_take(struct lease *l, struct ticket **out, size_t max, rt_time until)
{
    rt_time deadline = until;
    for (bool told = false;;) {
        size_t n = hand_out(l, out, max);
        if (n || l->over || !max)
            return n;
        if (!l->asked && told)
            return 0;
        if (!l->asked) {
            told = l->asked = true;
            l->until = until;
            if (until <= rt_now())
                deadline = rt_now() + POLL_TIME;
            l->want = max < UINT32_MAX ? (uint32_t)max : UINT32_MAX;
            ask(l);
        }
        l->waiter = fiber_self();
        err e = fiber_park(deadline);
        l->waiter = NULL;
        if (e != OK)
            return hand_out(l, out, max);
    }
}

void queue_done(struct lease *l, struct ticket *t)
{
    t->lease = l;
    t->post.run = owner_done;
    rt_post(rt_loop(0), &t->post);
}

void queue_untaken(struct lease *l, struct ticket *t, str why)
{
    str reply = arena_str(&t->arena, str_sub(why, 0, 512));
    for (uint32_t i = 0; i < t->nto; i++)
        if (t->to[i].fate == FATE_NONE) {
            t->to[i].fate = FATE_DEFERRED;
            t->to[i].reply = reply;
            t->untaken = true;
        }
    queue_done(l, t);
}

/* The message that the connection was opened for, when there was none: an attempt of its own, with that reply. */
static void put_off_first(struct lease *l, str why)
{
    for (struct list *n; (n = list_pop_front(&l->tickets));)
        queue_untaken(l, container_of(n, struct ticket, link), why);
}

void queue_end(struct lease *l, err down, str why)
{
    if (down != OK && !why.n)
        why = str_c(err_text(down));
    if (down != OK && down != E_CANCELLED && !l->unstarted && !l->handed)
        put_off_first(l, why);
    give_back(l);
    why = str_sub(why, 0, sizeof l->why);
    memcpy(l->why, why.n ? why.p : "", why.n);
    l->why_n = why.n;
    l->down = down;
    l->ended = true;
    l->ending.run = owner_ending;
    rt_post(rt_loop(0), &l->ending);
}
