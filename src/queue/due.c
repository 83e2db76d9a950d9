/* The heap of waiting messages. Room for every message is reserved when it enters the queue. */
#include "queue/internal.h"

#include <stdlib.h>

static void put(struct due *d, uint32_t i, struct msg *m, tick at)
{
    d->m[i] = m;
    d->at[i] = at;
    m->due = i + 1;
}

static void sift(struct due *d, uint32_t i, struct msg *m, tick at)
{
    for (uint32_t up; i && d->at[up = (i - 1) / 4] > at; i = up)
        put(d, i, d->m[up], d->at[up]);
    for (;;) {
        uint32_t first = i * 4 + 1, best = i;
        tick least = at;
        for (uint32_t c = first; c < first + 4 && c < d->n; c++)
            if (d->at[c] < least) {
                best = c;
                least = d->at[c];
            }
        if (best == i)
            break;
        put(d, i, d->m[best], least);
        i = best;
    }
    put(d, i, m, at);
}

bool wait_reserve(struct due *d)
{
    if (d->n + d->reserved < d->cap) {
        d->reserved++;
        return true;
    }
    if (d->cap > UINT32_MAX / 4 - 64)
        return false;
    uint32_t cap = d->cap + d->cap / 32 + 64;
    tick *at = realloc(d->at, cap * sizeof *at);
    if (at)
        d->at = at;
    struct msg **m = at ? realloc(d->m, cap * sizeof(struct msg *)) : NULL;
    if (!m)
        return false;
    d->m = m;
    d->cap = cap;
    d->reserved++;
    return true;
}

tick wait_when(const struct due *d, const struct msg *m) { return m->due ? d->at[m->due - 1] : TICK_NEVER; }

static void take_out(struct due *d, struct msg *m)
{
    uint32_t i = m->due - 1;
    m->due = 0;
    d->n--;
    d->reserved++;
    if (i != d->n)
        sift(d, i, d->m[d->n], d->at[d->n]);
}

void wait_set(struct due *d, struct msg *m, tick at)
{
    if (at == TICK_NEVER) {
        if (m->due)
            take_out(d, m);
        return;
    }
    uint32_t i;
    if (m->due) {
        i = m->due - 1;
    } else {
        i = d->n++;
        d->reserved--;
    }
    sift(d, i, m, at);
}

void wait_unreserve(struct due *d, struct msg *m)
{
    wait_set(d, m, TICK_NEVER);
    d->reserved--;
    if (d->cap > 4096 && d->n + d->reserved < d->cap / 4) {
        uint32_t cap = d->cap / 2;
        tick *at = realloc(d->at, cap * sizeof *at);
        d->at = at ? at : d->at;
        struct msg **v = realloc(d->m, cap * sizeof(struct msg *));
        d->m = v ? v : d->m;
        d->cap = cap;
    }
}

void wait_free(struct due *d)
{
    free(d->at);
    free(d->m);
    *d = (struct due){0};
}
