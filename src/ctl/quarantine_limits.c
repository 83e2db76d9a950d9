/* The limits of the quarantine: what is older than quarantine.max-age, and the oldest beyond quarantine.max-size, is
 * removed, each with a line of the log that says by whom and why. */
#include "ctl/internal.h"

enum { SLICE = 1000 };
#define TURN (5 * RT_S)

struct sum {
    uint64_t messages, bytes, last;
    int64_t oldest_ms;
    uint64_t first; /* the oldest message */
};

static void each(void *arg, const struct queue_entry *e)
{
    struct sum *x = arg;
    if (e->id == x->last)
        return;
    x->last = e->id;
    x->messages++;
    x->bytes += e->size;
    if (!x->first) {
        x->first = e->id;
        x->oldest_ms = e->arrived_ms;
    }
}

static bool look(const struct ctl *rooms, struct sum *ret) YIELDS;
static bool look(const struct ctl *rooms, struct sum *ret)
{
    const struct queue_filter f = {.tenant = -1, .held = -1, .quarantine = true};
    uint64_t cursor = 0;
    *ret = (struct sum){0};
    while (queue_walk(rooms->queue, &f, &cursor, SLICE, each, ret)) {
        fiber_yield();
        if (fiber_cancelled())
            return false;
    }
    return true;
}

static void count(struct sum *shown, const struct sum *now)
{
    metric_add(M_quarantine_messages, (int64_t)(now->messages - shown->messages));
    metric_add(M_quarantine_bytes, (int64_t)(now->bytes - shown->bytes));
    *shown = *now;
}

/* One message goes when a limit is passed; true: look again. */
static bool trim(const struct ctl *rooms, const struct conf *c, const struct sum *now)
{
    bool old = now->first && rt_wall_ms() - now->oldest_ms > c->quarantine_max_age / RT_MS;
    bool much = now->bytes > (uint64_t)c->quarantine_max_size;
    if (!now->first || !(old || much))
        return false;
    str who = old ? S("the server: older than quarantine.max-age") : S("the server: more than quarantine.max-size");
    return queue_act(rooms->queue, QUEUE_REMOVE, now->first, UINT32_MAX, who) > 0;
}

void ctl_quarantine_keep(void *arg)
{
    const struct ctl *rooms = arg;
    struct sum shown = {0}, now;
    while (fiber_sleep(rt_after(TURN)) == OK) {
        struct conf *c = rooms->conf();
        bool ok = look(rooms, &now);
        while (ok && trim(rooms, c, &now))
            ok = look(rooms, &now);
        if (ok)
            count(&shown, &now);
        conf_drop(&c);
        if (!ok)
            break;
    }
}
