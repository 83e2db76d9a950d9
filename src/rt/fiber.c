/*
 * Fibers: spawn, park, wake, cancel. Only the loop resumes a fiber (fiber_resume); waking puts it at
 * the end of the loop's ready queue.
 */
#include "rt/internal.h"

#include <assert.h>

struct fiber *fiber_self(void) { return rt_current ? rt_current->current : NULL; }

/* A pooled stack begins its next fiber here, where the last one ended. */
void fiber_main(void *arg)
{
    struct fiber *f = arg;
    for (;;) {
        f->fn(f->arg);
        f->state = FIBER_ENDED;
        ctx_leave(&f->ctx, &f->loop->main);
    }
}

static void make_ready(struct fiber *f)
{
    f->state = FIBER_READY;
    list_push_back(&f->loop->ready, &f->run);
}

struct fiber *fiber_spawn(void (*fn)(void *arg), void *arg, const char *name)
{
    struct loop *l = rt_current;
    assert(l);
    /* A place in the heap of deadlines for every fiber, so that a park cannot fail. */
    if (!heap_reserve(&l->deadlines, l->nfibers + 1 - l->deadlines.n))
        return NULL;
    struct fiber *f = stack_take(l);
    if (!f)
        return NULL;
    f->loop = l;
    f->fn = fn;
    f->arg = arg;
    f->name = name;
    f->timer = (struct heap_node){0};
    f->deadline = RT_NEVER;
    f->shields = 0;
    f->woken = f->trimmed = false;
    f->cancelled = l->stopping;
    list_push_back(&l->fibers, &f->all);
    l->nfibers++;
    metric_add(M_fibers, 1);
    make_ready(f);
    return f;
}

static void end(struct loop *l, struct fiber *f)
{
    heap_remove(&l->deadlines, &f->timer);
    list_remove(&f->all);
    l->nfibers--;
    metric_add(M_fibers, -1);
    stack_give(l, f);
}

void fiber_resume(struct loop *l, struct fiber *f)
{
    f->state = FIBER_RUNNING;
    f->budget = FIBER_BUDGET;
    l->current = f;
    ctx_switch(&l->main, &f->ctx);
    while (f->state == FIBER_CALLING) {
        f->call(f->call_arg);
        f->state = FIBER_RUNNING;
        ctx_switch(&l->main, &f->ctx);
    }
    l->current = NULL;
    if (f->state == FIBER_ENDED)
        end(l, f);
}

static bool interrupted(const struct fiber *f) { return f->cancelled && !f->shields; }

bool fiber_cancelled(void)
{
    struct fiber *f = fiber_self();
    return f && interrupted(f);
}

/* The node stays in the heap over wakes: most parks end long before their deadlines. */
static void arm(struct loop *l, struct fiber *f, rt_time deadline)
{
    f->deadline = deadline;
    if (deadline == RT_NEVER)
        return;
    if (!heap_has(&f->timer))
        heap_push(&l->deadlines, &f->timer, deadline);
    else if (deadline < f->timer.key)
        heap_move(&l->deadlines, &f->timer, deadline);
}

err fiber_park(rt_time deadline)
{
    struct fiber *f = fiber_self();
    assert(f);
    struct loop *l = f->loop;
    if (interrupted(f))
        return E_CANCELLED;
    if (!f->woken) {
        if (deadline <= l->now)
            return E_TIMEOUT;
        arm(l, f, deadline);
        f->state = FIBER_PARKED;
        f->parked_at = l->now;
        f->depth = __builtin_frame_address(0);
        ctx_switch(&f->ctx, &l->main);
        f->deadline = RT_NEVER;
        f->trimmed = false;
    }
    if (f->woken) {
        f->woken = false;
        return OK;
    }
    return interrupted(f) ? E_CANCELLED : E_TIMEOUT;
}

void fiber_wake(struct fiber *f)
{
    assert(f->loop == rt_current);
    f->woken = true;
    if (f->state == FIBER_PARKED)
        make_ready(f);
}

void fiber_expire(struct loop *l, rt_time now)
{
    struct heap_node *n;
    while ((n = heap_min(&l->deadlines)) && n->key <= now) {
        struct fiber *f = container_of(n, struct fiber, timer);
        if (f->state == FIBER_PARKED && f->deadline > now && f->deadline != RT_NEVER) {
            heap_move(&l->deadlines, n, f->deadline);
            continue;
        }
        heap_remove(&l->deadlines, n);
        if (f->state == FIBER_PARKED && f->deadline <= now)
            make_ready(f);
    }
}

void fiber_cancel(struct fiber *f)
{
    assert(f->loop == rt_current);
    f->cancelled = true;
    if (f->state == FIBER_PARKED && !f->shields)
        make_ready(f);
}

void fiber_shield(bool on)
{
    struct fiber *f = fiber_self();
    assert(f);
    if (on)
        f->shields++;
    else if (f->shields)
        f->shields--;
}

err fiber_sleep(rt_time until)
{
    err e;
    while ((e = fiber_park(until)) == OK)
        ;
    return e == E_TIMEOUT ? OK : e;
}

void fiber_yield(void)
{
    struct fiber *f = fiber_self();
    assert(f);
    make_ready(f);
    ctx_switch(&f->ctx, &f->loop->main);
}

void fiber_on_loop(void (*fn)(void *arg), void *arg)
{
    struct fiber *f = fiber_self();
    if (!f || f->state == FIBER_CALLING) {
        fn(arg);
        return;
    }
    f->call = fn;
    f->call_arg = arg;
    f->state = FIBER_CALLING;
    f->depth = __builtin_frame_address(0);
    ctx_switch(&f->ctx, &f->loop->main);
}
