/*
 * The turn of a loop: posts, timers, ready fibers, the log, then sleep. Also posts between threads
 * and timers without a fiber.
 */
#include "rt/internal.h"

#include <assert.h>

_Thread_local struct loop *rt_current;

enum {
    RUN_MAX = 256,   /* fibers resumed in a turn before sockets are looked at again */
    WAKE_AFTER = 32, /* fibers resumed before the tasks that they sent to are woken */
    TRIM_MAX = 256,  /* stacks looked at in a turn for pages to give back */
};
#define TRIM_AFTER (5 * RT_S) /* a fiber that slept so long gives back what it does not use */
#define LOG_RETRY (50 * RT_MS)

struct loop *rt_self(void) { return rt_current; }
int rt_index(void) { return rt_current ? rt_current->index : -1; }

/* ---- posts ---- */

bool inbox_push(struct inbox *in, struct post *newest, struct post *oldest)
{
    struct post *old = atomic_load_explicit(&in->newest, memory_order_relaxed);
    do
        oldest->next = old;
    while (!atomic_compare_exchange_weak(&in->newest, &old, newest));
    return atomic_load(&in->asleep) && atomic_exchange(&in->asleep, false);
}

struct post *inbox_take(struct inbox *in)
{
    if (inbox_empty(in))
        return NULL;
    struct post *p = atomic_exchange(&in->newest, NULL), *oldest = NULL;
    while (p) {
        struct post *next = p->next;
        p->next = oldest;
        oldest = p;
        p = next;
    }
    return oldest;
}

bool inbox_empty(const struct inbox *in) { return !atomic_load(&in->newest); }

void rt_post(struct loop *to, struct post *p)
{
    if (inbox_push(&to->inbox, p, p))
        rt_be->wake(to);
}

void rt_post_chain(struct loop *to, struct post *first)
{
    struct post *newest = NULL;
    for (struct post *p = first, *next; p; p = next) {
        next = p->next;
        p->next = newest;
        newest = p;
    }
    if (newest && inbox_push(&to->inbox, newest, first))
        rt_be->wake(to);
}

static void run_posts(struct loop *l)
{
    for (struct post *p = inbox_take(&l->inbox), *next; p; p = next) {
        next = p->next;
        p->run(p);
    }
}

/* ---- timers ---- */

#define LATE UINT32_MAX /* heap_node.at of a timer in loop->late */

static void late_remove(struct loop *l, struct timer *t)
{
    struct timer **at = &l->late;
    while (*at && *at != t)
        at = &(*at)->late;
    if (*at)
        *at = t->late;
    t->node.at = 0;
}

void timer_set(struct timer *t, rt_time at)
{
    struct loop *l = rt_current;
    assert(l);
    if (t->node.at == LATE)
        late_remove(l, t);
    if (heap_has(&t->node)) {
        heap_move(&l->timers, &t->node, at);
    } else if (!heap_push(&l->timers, &t->node, at)) {
        t->node = (struct heap_node){.key = at, .at = LATE};
        t->late = l->late;
        l->late = t;
    }
}

void timer_stop(struct timer *t)
{
    struct loop *l = rt_current;
    assert(l);
    if (t->node.at == LATE)
        late_remove(l, t);
    else
        heap_remove(&l->timers, &t->node);
}

/* Timers without a place in the heap: get one now, or are looked through. */
static void place_late(struct loop *l)
{
    struct timer *t = l->late;
    l->late = NULL;
    while (t) {
        struct timer *next = t->late;
        t->node.at = 0;
        timer_set(t, t->node.key);
        t = next;
    }
}

/* Each timer at most once a turn, also when it sets itself to the past. */
static void run_timers(struct loop *l)
{
    if (l->late)
        place_late(l);
    for (uint32_t left = l->timers.n; left; left--) {
        struct heap_node *n = heap_min(&l->timers);
        if (!n || n->key > l->now)
            break;
        heap_remove(&l->timers, n);
        struct timer *t = container_of(n, struct timer, node);
        t->fn(t);
    }
    fiber_expire(l, l->now);
}

static rt_time next_time(struct loop *l)
{
    struct heap_node *a = heap_min(&l->timers), *b = heap_min(&l->deadlines);
    rt_time at = a ? a->key : RT_NEVER;
    if (b && b->key < at)
        at = b->key;
    for (struct timer *t = l->late; t; t = t->late)
        if (t->node.key < at)
            at = t->node.key;
    return at;
}

/* ---- turns ---- */

static void run_ready(struct loop *l)
{
    struct list *n;
    for (int i = 0; i < RUN_MAX && (n = list_pop_front(&l->ready)); i++) {
        fiber_resume(l, container_of(n, struct fiber, run));
        if (i % WAKE_AFTER == WAKE_AFTER - 1)
            task_wake_all(l);
    }
    task_wake_all(l);
}

/* A few fibers a time, oldest place first; each goes to the end of the list. */
static void trim_stacks(struct loop *l)
{
    bool more = false;
    unsigned n = l->nfibers < TRIM_MAX ? l->nfibers : TRIM_MAX;
    for (; n; n--) {
        struct fiber *f = container_of(l->fibers.next, struct fiber, all);
        list_remove(&f->all);
        list_push_back(&l->fibers, &f->all);
        if (f->state == FIBER_PARKED && !f->trimmed && l->now - f->parked_at >= TRIM_AFTER) {
            stack_trim(f);
            more = true;
        }
    }
    l->trim_at = l->now + (more || l->nfibers > TRIM_MAX ? RT_S / 4 : TRIM_AFTER);
}

static void begin_stop(struct loop *l)
{
    l->stopping = true;
    l->drain_until = rt_after(rt_world.start.drain);
    LIST_EACH(n, &l->fibers)
    fiber_cancel(container_of(n, struct fiber, all));
}

/* Idle loops go on serving posts until every loop is idle. */
static bool stop_done(struct loop *l)
{
    bool idle = l->nfibers == 0 && inbox_empty(&l->inbox);
    if (idle != l->idle) {
        l->idle = idle;
        if (atomic_fetch_add(&rt_world.idle, idle ? 1 : -1) + (idle ? 1 : -1) == rt_world.n) {
            atomic_store(&rt_world.finished, true);
            world_wake_all();
        }
    }
    return atomic_load(&rt_world.finished) || l->now >= l->drain_until;
}

static void sleep_until_something(struct loop *l)
{
    rt_time until = list_empty(&l->ready) ? next_time(l) : 0;
    if (l->stopping && l->drain_until < until)
        until = l->drain_until;
    if (l->nfibers && l->trim_at < until)
        until = l->trim_at;
    if (log_pending() && until > l->now + LOG_RETRY)
        until = l->now + LOG_RETRY;
    if (until <= l->now) {
        until = 0;
    } else {
        atomic_store(&l->inbox.asleep, true);
        if (!inbox_empty(&l->inbox) || (atomic_load(&rt_world.stop) && !l->stopping) || atomic_load(&rt_world.finished))
            until = 0;
    }
    rt_be->wait(l, until);
    atomic_store_explicit(&l->inbox.asleep, false, memory_order_relaxed);
    l->now = rt_be->now();
    l->wall = -1;
}

bool loop_turn(struct loop *l)
{
    run_posts(l);
    run_timers(l);
    if (atomic_load_explicit(&rt_world.stop, memory_order_relaxed) && !l->stopping)
        begin_stop(l);
    run_ready(l);
    if (l->now >= l->trim_at)
        trim_stacks(l);
    rt_log_flush();
    if (l->stopping && stop_done(l))
        return false;
    sleep_until_something(l);
    return true;
}

void loop_init(struct loop *l, int index)
{
    *l = (struct loop){.index = index, .wall = -1};
    list_init(&l->ready);
    list_init(&l->fibers);
    list_init(&l->stacks);
    l->now = rt_be->now();
    l->trim_at = l->now + TRIM_AFTER;
}
