/* Tasks: threads of their own that take posts from an inbox. A sender wakes only a task that sleeps. */
#include "rt/internal.h"

#include <stdlib.h>

void task_body(struct task *t)
{
    t->fn(t, t->arg);
    rt_log_flush();
}

err rt_task_start(struct task **ret, const char *name, void (*fn)(struct task *t, void *arg), void *arg)
{
    struct task *t = calloc(1, sizeof *t);
    if (!t)
        return E_NOMEM;
    t->name = name;
    t->fn = fn;
    t->arg = arg;
    err e = rt_be->task_start(t);
    if (e) {
        free(t);
        return e;
    }
    *ret = t;
    return OK;
}

/* From a loop the wake waits until some more fibers have run: a task that is woken for each post takes each alone,
 * and the spool would sync for every message what it can sync for twenty. */
void rt_task_send(struct task *t, struct post *p)
{
    struct loop *l = rt_current;
    if (!inbox_push(&t->inbox, p, p))
        return;
    if (!l) {
        rt_be->task_wake(t);
        return;
    }
    if (l->nwakes < WAKES_MAX)
        l->wakes[l->nwakes++] = t;
    else
        rt_be->task_wake(t);
}

void task_wake_all(struct loop *l)
{
    while (l->nwakes)
        rt_be->task_wake(l->wakes[--l->nwakes]);
}

struct post *rt_task_take(struct task *t, rt_time deadline)
{
    for (;;) {
        struct post *p = inbox_take(&t->inbox);
        if (p || atomic_load(&t->stopping) || deadline <= rt_now_fresh())
            return p ? p : inbox_take(&t->inbox);
        atomic_store(&t->inbox.asleep, true);
        if (inbox_empty(&t->inbox) && !atomic_load(&t->stopping))
            rt_be->task_sleep(t, deadline);
        atomic_store(&t->inbox.asleep, false);
    }
}

void rt_give_way(void)
{
    if (rt_be->give_way)
        rt_be->give_way();
}

bool rt_task_stopping(struct task *t) { return atomic_load(&t->stopping); }

void rt_task_stop(struct task **t)
{
    if (!*t)
        return;
    if (rt_current)
        task_wake_all(rt_current);
    atomic_store(&(*t)->stopping, true);
    if (atomic_exchange(&(*t)->inbox.asleep, false))
        rt_be->task_wake(*t);
    rt_be->task_join(*t);
    free(*t);
    *t = NULL;
}
