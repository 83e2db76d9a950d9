/*
 * The engine in production: a writer task that turns waiting groups into batches, a helper task that
 * prepares, seals, frees and compacts segments, and the functions that other rooms call.
 */
#include "spool/internal.h"

#include <stdlib.h>

#define LAZY_AGE (3 * RT_S)
enum { LAZY_BYTES = 1 << 20, LOOPS_MAX = 64 };

struct spool {
    struct engine *e;
    struct task *writer, *helper;
    struct post kick;
    atomic_bool kicked;
    struct lock gate; /* held while the helper uses the writer's task */
    atomic_bool shut; /* no writer yet, or no more: compaction must wait, and nobody is told anything */

    /* the writer's */
    struct list waiting; /* lazy groups, oldest first */
    size_t waiting_bytes;
    rt_time waiting_since;
    struct post *first[LOOPS_MAX], *last[LOOPS_MAX]; /* completions by loop */
};

static struct spool_group *group_of(struct post *p) { return container_of(p, struct spool_group, done); }

/* ---- the writer ----------------------------------------------------------------------------------- */

static void complete(struct engine *e, struct spool_group *g)
{
    struct spool *s = e->owner;
    if (g->copies) {
        rt_task_send(s->helper, &g->done);
        return;
    }
    if (atomic_load(&s->shut))
        return;
    int i = 0;
    while (i < LOOPS_MAX && i < rt_nloops() && rt_loop(i) != g->loop)
        i++;
    if (i >= LOOPS_MAX || i >= rt_nloops()) {
        rt_post(g->loop, &g->done);
        return;
    }
    g->done.next = NULL;
    if (s->first[i])
        s->last[i]->next = &g->done;
    else
        s->first[i] = &g->done;
    s->last[i] = &g->done;
}

static void completed(struct engine *e)
{
    struct spool *s = e->owner;
    for (int i = 0; i < LOOPS_MAX && i < rt_nloops(); i++) {
        struct post *p = s->first[i];
        s->first[i] = NULL;
        if (p)
            rt_post_chain(rt_loop(i), p);
    }
}

static void wake_helper(struct engine *e)
{
    struct spool *s = e->owner;
    if (!atomic_exchange(&s->kicked, true))
        rt_task_send(s->helper, &s->kick);
}

/* Lazy groups wait in front of what comes later, so that stamps follow the order in which things were said. */
static bool sort_in(struct spool *s, struct post *p, struct list *now)
{
    bool urgent = false;
    for (struct post *next; p; p = next) {
        next = p->next;
        struct spool_group *g = group_of(p);
        urgent |= !g->lazy;
        list_push_back(now, &g->held);
        if (g->lazy && !s->waiting_bytes)
            s->waiting_since = rt_now_fresh();
        if (g->lazy)
            s->waiting_bytes += g->bytes.n + 1;
    }
    return urgent;
}

static void write_waiting(struct spool *s, bool sync)
{
    s->waiting_bytes = 0;
    engine_write(s->e, &s->waiting, sync);
}

static rt_time writer_deadline(struct spool *s)
{
    if (!list_empty(&s->waiting))
        return s->waiting_since + LAZY_AGE;
    return atomic_load(&s->e->failed) ? rt_now_fresh() + RT_S : RT_NEVER;
}

/* What waits, moved to s->waiting; *ret_urgent: some of it is for now. False: nothing came. The first post seldom comes
 * alone, but on a busy machine the writer that it wakes runs at once, before the loops have said the rest. */
static bool take_waiting(struct spool *s, struct task *t, bool *ret_urgent)
{
    struct post *p = rt_task_take(t, writer_deadline(s));
    *ret_urgent = sort_in(s, p, &s->waiting);
    if (p) {
        rt_give_way();
        *ret_urgent |= sort_in(s, rt_task_take(t, 0), &s->waiting);
    }
    return p != NULL;
}

static void run_writer(struct task *t, void *arg)
{
    struct spool *s = arg;
    for (bool urgent;;) {
        bool some = take_waiting(s, t, &urgent);
        bool late = !list_empty(&s->waiting) && rt_now_fresh() >= s->waiting_since + LAZY_AGE;
        if (urgent)
            write_waiting(s, true);
        else if (late || s->waiting_bytes > LAZY_BYTES)
            write_waiting(s, false);
        if (atomic_load(&s->e->failed))
            engine_retry(s->e);
        if (atomic_exchange(&s->e->work, false))
            wake_helper(s->e);
        if (!some && rt_task_stopping(t))
            break;
    }
    write_waiting(s, true);
}

/* ---- the helper ------------------------------------------------------------------------------------- */

/* Compaction hands a group to the writer and waits. The writer is stopped before the helper, so the answer always
 * comes. */
static err submit(struct engine *e, struct spool_group *g)
{
    struct spool *s = e->owner;
    lock_take(&s->gate);
    bool shut = atomic_load(&s->shut);
    if (!shut)
        rt_task_send(s->writer, &g->done);
    lock_drop(&s->gate);
    if (shut)
        return E_CANCELLED;
    for (bool done = false; !done;)
        for (struct post *p = rt_task_take(s->helper, RT_NEVER), *next; p; p = next) {
            next = p->next;
            done |= p == &g->done;
            if (p == &s->kick)
                atomic_store(&s->kicked, false);
        }
    return g->e;
}

static void run_helper(struct task *t, void *arg)
{
    struct spool *s = arg;
    while (!rt_task_stopping(t)) {
        while (!rt_task_stopping(t) && engine_help(s->e))
            ;
        bool again = atomic_load(&s->e->failed) || (atomic_load(&s->e->full) && engine_room(s->e, 0) != OK);
        /* Only the kick comes here; from this store on it may be sent again. */
        if (rt_task_take(t, again ? rt_now_fresh() + RT_S : RT_NEVER))
            atomic_store(&s->kicked, false);
    }
}

/* ---- the face ----------------------------------------------------------------------------------------- */

static void give_up(struct spool *s)
{
    engine_close(&s->e);
    free(s);
}

err spool_open(struct spool **ret, const struct spool_config *c, spool_due_fn *due, void *arg)
{
    struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return E_NOMEM;
    list_init(&s->waiting);
    atomic_init(&s->shut, true);
    err bad = engine_open(&s->e, c, due, arg);
    if (bad) {
        give_up(s);
        return bad;
    }
    s->e->owner = s;
    s->e->complete = complete;
    s->e->completed = completed;
    s->e->wake = wake_helper;
    s->e->submit = submit;
    bad = rt_task_start(&s->helper, "spool-helper", run_helper, s);
    if (!bad)
        bad = rt_task_start(&s->writer, "spool-writer", run_writer, s);
    if (bad) {
        rt_task_stop(&s->helper);
        give_up(s);
        return bad;
    }
    lock_take(&s->gate);
    atomic_store(&s->shut, false);
    lock_drop(&s->gate);
    wake_helper(s->e);
    *ret = s;
    return OK;
}

void spool_close(struct spool **ps)
{
    struct spool *s = *ps;
    *ps = NULL;
    if (!s)
        return;
    lock_take(&s->gate);
    atomic_store(&s->shut, true);
    lock_drop(&s->gate);
    rt_task_stop(&s->writer);
    rt_task_stop(&s->helper);
    give_up(s);
}

uint64_t spool_new_id(struct spool *s) { return engine_new_id(s->e); }
err spool_room(struct spool *s, uint64_t size) { return engine_room(s->e, size); }
void spool_forget(struct spool *s, uint64_t id) { engine_forget(s->e, id); }
void spool_stats(struct spool *s, struct spool_stats *ret) { engine_stats(s->e, ret); }

void spool_send(struct spool *s, struct spool_group *g)
{
    g->loop = rt_self();
    rt_task_send(s->writer, &g->done);
}

struct wait {
    struct fiber *fiber;
    bool done;
};

static void put_done(struct post *p)
{
    struct wait *w = group_of(p)->waiter;
    w->done = true;
    fiber_wake(w->fiber);
}

err spool_put(struct spool *s, struct spool_group *g)
{
    struct wait w = {.fiber = fiber_self()};
    g->done.run = put_done;
    g->waiter = &w;
    fiber_shield(true);
    spool_send(s, g);
    while (!w.done)
        fiber_park(RT_NEVER);
    fiber_shield(false);
    return g->e;
}

err spool_read_chunks(struct spool_reader *r, struct spool *s, uint64_t id)
{
    err bad = read_open_chunks(r, s->e, id);
    r->spool = s;
    return bad;
}

err spool_read_open(struct spool_reader *r, struct spool *s, uint64_t id, struct body *mem)
{
    err bad = read_open(r, s->e, id, mem);
    if (!bad)
        r->spool = s;
    return bad;
}
