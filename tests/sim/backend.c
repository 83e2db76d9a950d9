/*
 * rt's second back end: threads are actors, the clock is the simulator's, waiting is a switch of stacks. The
 * production code above the table of internal.h runs as it is.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>

static rt_time be_now(void) { return sim.now; }
static int64_t be_wall_ms(void)
{
    struct node *n = sim.running ? sim.running->node : sim.loaded;
    return 1900000000000 + sim.now / RT_MS + (n ? n->wall_step : 0);
}

static void be_random(void *p, size_t n)
{
    struct node *self = sim.running ? sim.running->node : sim.loaded;
    for (size_t i = 0; i < n; i++) {
        if (!self) {
            ((unsigned char *)p)[i] = (unsigned char)sim_random();
            continue;
        }
        self->rnd = self->rnd * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)p)[i] = (unsigned char)(self->rnd >> 56);
    }
}

static void thread_end(void)
{
    log_end();
    metrics_end();
}

/* ---- loops ---- */

static err be_loop_open(struct loop *l)
{
    l->be = own_alloc(sizeof(struct be_loop)); /* for ever: late edges and posts may look */
    return OK;
}
static void be_loop_close(struct loop *l) { (void)l; }
static void be_wake(struct loop *l)
{
    struct be_loop *b = l->be;
    if (b->actor && !b->actor->ended)
        actor_wake(b->actor);
}

static void be_wait(struct loop *l, rt_time until)
{
    if (until > sim.now && !lan_has_edges(l)) {
        actor_sleep(until);
    } else {
        sim.running->woken = false;
        actor_pass();
    }
    lan_edges(l);
}

static void loop_actor(void *arg)
{
    loop_main(arg);
    thread_end();
}

static void pool_actor(void *arg)
{
    struct node *n = arg;
    while (n->pool.n || !n->pool.ends) {
        if (!n->pool.n) {
            actor_sleep(RT_NEVER);
            continue;
        }
        struct pool_job *j = n->pool.job[n->pool.from];
        n->pool.from = (n->pool.from + 1) % POOL_JOBS;
        n->pool.n--;
        pool_job_run(j);
        rt_log_flush();
    }
    thread_end();
}

static void join(struct actor *a)
{
    a->joiner = sim.running;
    while (!a->ended)
        actor_sleep(RT_NEVER);
}

static err be_run(struct world *w)
{
    struct node *n = sim.running->node;
    n->pool.workers = w->start.npool < 4 ? w->start.npool : 4;
    n->pool.ends = false;
    for (int i = 0; i < n->pool.workers; i++)
        n->pool.worker[i] = actor_new(n, "pool", pool_actor, n);
    for (int i = 0; i < w->n; i++) {
        struct be_loop *b = w->loops[i].be;
        b->actor = actor_new(n, "loop", loop_actor, &w->loops[i]);
        b->actor->loop = &w->loops[i];
    }
    for (int i = 0; i < w->n; i++)
        join(((struct be_loop *)w->loops[i].be)->actor);
    n->pool.ends = true;
    for (int i = 0; i < n->pool.workers; i++) {
        actor_wake(n->pool.worker[i]);
        join(n->pool.worker[i]);
    }
    return OK;
}

static err be_pool_put(struct pool_job *j)
{
    struct node *n = sim.running->node;
    if (n->pool.n == POOL_JOBS || n->pool.ends)
        return E_LIMIT;
    n->pool.job[(n->pool.from + n->pool.n++) % POOL_JOBS] = j;
    for (int i = 0; i < n->pool.workers; i++)
        actor_wake(n->pool.worker[i]);
    return OK;
}

/* ---- tasks ---- */

static void task_actor(void *arg)
{
    task_body(arg);
    thread_end();
}
static err be_task_start(struct task *t)
{
    struct actor *a = actor_new(sim.running->node, "task", task_actor, t);
    a->kind = t->name;
    t->be = a;
    return OK;
}
static void be_task_sleep(struct task *t, rt_time deadline)
{
    if (atomic_load(&t->inbox.asleep))
        actor_sleep(deadline);
}
static void be_task_wake(struct task *t) { actor_wake(t->be); }
static void be_task_join(struct task *t) { join(t->be); }

/* ---- the log: whole lines, to whom it may concern ---- */

void ledger_line(struct node *n, str line);
static bool be_log_ready(int fd, int wait_ms) { return (void)fd, (void)wait_ms, true; }
static ssize_t be_log_write(int fd, const void *p, size_t size)
{
    (void)fd;
    struct node *n = sim.running ? sim.running->node : sim.loaded;
    for (size_t i = 0; i < size && n; i++) {
        char c = ((const char *)p)[i];
        if (c == '\n') {
            ledger_line(n, str_mem(n->log, n->log_n));
            n->log_n = 0;
        } else if (n->log_n < sizeof n->log) {
            n->log[n->log_n++] = c;
        }
    }
    return (ssize_t)size;
}

/* A lock that another thread holds: wait for its turn. */
void __wrap_lock_take(struct lock *l);
void __wrap_lock_take(struct lock *l)
{
    while (l->word && sim.running)
        actor_pass();
    l->word = 1;
}

const struct backend sim_be = {
    .now = be_now,
    .wall_ms = be_wall_ms,
    .random = be_random,
    .run = be_run,
    .loop_open = be_loop_open,
    .loop_close = be_loop_close,
    .wait = be_wait,
    .wake = be_wake,
    .task_start = be_task_start,
    .task_sleep = be_task_sleep,
    .task_wake = be_task_wake,
    .task_join = be_task_join,
    .pool_put = be_pool_put,
    .socket = lan_socket,
    .bind = lan_bind,
    .listen = lan_listen,
    .accept = lan_accept,
    .connect = lan_connect,
    .recv = lan_recv,
    .send = lan_send,
    .getopt = lan_getopt,
    .setopt = lan_setopt,
    .address = lan_address,
    .shutdown = lan_shutdown,
    .close = lan_close,
    .watch = lan_watch,
    .unwatch = lan_unwatch,
    .log_ready = be_log_ready,
    .log_write = be_log_write,
};
