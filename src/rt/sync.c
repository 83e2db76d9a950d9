/* Waiting for other fibers of the same loop, and the short lock between threads. */
#include "rt/internal.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

struct waiter {
    struct list node;
    struct fiber *fiber;
    bool woken;
};

void cond_init(struct cond *c) { list_init(&c->waiters); }

/* The waiter leaves the list before it ends, which gcc 12 does not see. */
#if !defined __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdangling-pointer"
#endif
err cond_wait(struct cond *c, rt_time deadline)
{
    struct waiter w = {.fiber = fiber_self()};
    err e = OK;
    list_push_back(&c->waiters, &w.node);
    while (!w.woken && !e)
        e = fiber_park(deadline);
    list_remove(&w.node);
    return w.woken ? OK : e;
}
#if !defined __clang__
#pragma GCC diagnostic pop
#endif

void cond_wake_one(struct cond *c)
{
    struct list *n = list_pop_front(&c->waiters);
    if (!n)
        return;
    struct waiter *w = container_of(n, struct waiter, node);
    w->woken = true;
    fiber_wake(w->fiber);
}

void cond_wake_all(struct cond *c)
{
    while (!list_empty(&c->waiters))
        cond_wake_one(c);
}

/* 0 free, 1 taken, 2 taken and somebody may sleep on it. */
void lock_take(struct lock *l)
{
    int seen = 0;
    if (__atomic_compare_exchange_n(&l->word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE))
        syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

void lock_drop(struct lock *l)
{
    if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2)
        syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
