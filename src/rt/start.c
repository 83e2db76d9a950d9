/* Starting and stopping the world: loops and the pool; what is set before main: the key of hash tables, the heap. */
#include "rt/internal.h"

#include <malloc.h>
#include <stdlib.h>

struct world rt_world;
const struct backend *rt_be = &rt_be_epoll;

__attribute__((constructor)) static void draw_hash_key(void)
{
    uint64_t k[2];
    rt_be->random(k, sizeof k);
    str_hash_seed(k[0], k[1]);
}

/* Large blocks are mappings of their own and stay so: a table that grows with the queue then moves its pages, and the
 * places where it was before are not left as holes between messages. (By itself the C library raises this threshold
 * each time that such a block is freed, to 32 MiB in the end.) */
__attribute__((constructor)) static void keep_tables_apart(void)
{
    enum { APART = 128 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, APART);
}

int rt_nloops(void) { return rt_world.n; }
struct loop *rt_loop(int index) { return &rt_world.loops[index]; }

void world_wake_all(void)
{
    for (int i = 0; i < rt_world.n; i++)
        if (atomic_exchange(&rt_world.loops[i].inbox.asleep, false))
            rt_be->wake(&rt_world.loops[i]);
}

void rt_stop(void)
{
    atomic_store(&rt_world.stop, true);
    world_wake_all();
}

static void first_fiber(void *arg)
{
    struct loop *l = arg;
    rt_world.start.init(rt_world.start.arg, l->index);
}

void loop_main(struct loop *l)
{
    rt_current = l;
    ctx_init_thread(&l->main);
    l->now = rt_be->now();
    if (rt_world.start.init && !fiber_spawn(first_fiber, l, "init"))
        rt_stop();
    while (loop_turn(l))
        ;
    if (l->nfibers == 0)
        stack_free_all(l);
    rt_log_flush();
    rt_current = NULL;
}

/* The loops stay allocated: a thread that outlives them may still post to one. */
err rt_run(const struct rt_start *s)
{
    struct world *w = &rt_world;
    if (w->loops || s->nloops < 1)
        return E_BUG;
    struct loop *loops = calloc((size_t)s->nloops, sizeof *loops);
    if (!loops)
        return E_NOMEM;
    int n = 0;
    err e = OK;
    for (; n < s->nloops && !e; n++) {
        loop_init(&loops[n], n);
        e = rt_be->loop_open(&loops[n]);
    }
    if (!e) {
        w->loops = loops;
        w->n = n;
        w->start = *s;
        e = rt_be->run(w);
    }
    for (int i = 0; i < n; i++) {
        if (!e && loops[i].nfibers)
            e = E_TIMEOUT;
        rt_be->loop_close(&loops[i]);
    }
    if (!w->loops)
        free(loops);
    return e;
}
