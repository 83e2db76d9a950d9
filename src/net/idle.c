/* Idle connections: a shelf for each loop, the most recent in front; each leaves it by a question that it fits, or by
 * its timer. */
#include "net/net.h"

static struct idle_shelf *shelf_here(struct idle_pool *p)
{
    struct idle_shelf *s = &p->shelves[(unsigned)rt_index() % IDLE_LOOPS_MAX];
    if (!s->v.next)
        list_init(&s->v);
    return s;
}

static void take_down(struct idle *i)
{
    timer_stop(&i->timer);
    list_remove(&i->at);
    shelf_here(i->pool)->n--;
}

static void expire(struct timer *t)
{
    struct idle *i = container_of(t, struct idle, timer);
    take_down(i);
    i->pool->expired(i);
}

struct idle *idle_take(struct idle_pool *p, const void *key)
{
    LIST_EACH(it, &shelf_here(p)->v)
    {
        struct idle *i = container_of(it, struct idle, at);
        if (!p->fits(i, key))
            continue;
        take_down(i);
        if (p->alive(i))
            return i;
        p->drop(i);
    }
    return NULL;
}

bool idle_keep(struct idle_pool *p, struct idle *i, rt_time span)
{
    struct idle_shelf *s = shelf_here(p);
    if (s->n >= p->most || fiber_cancelled())
        return false;
    i->pool = p;
    list_push_front(&s->v, &i->at);
    s->n++;
    i->timer.fn = expire;
    timer_set(&i->timer, rt_after(span));
    return true;
}

bool conn_quiet(struct conn *c) { return !c->e && conn_buffered(c) == 0 && !conn_readable(c) && !c->e; }
