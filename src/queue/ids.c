/* The ordered index of message ids. */
#include "queue/ids.h"
#include "rt/cells.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 126, SPILL = 8 }; /* a chunk is a cell of 1 KiB */

struct ids_chunk {
    uint64_t first; /* id of v[0] */
    uint32_t n;
    void *v[SLOTS];
};

static uint64_t id_of(const void *what) { return *(const uint64_t *)what; }
/* After each change of a chunk that is not empty. */
static void changed(struct ids_chunk *c) { c->first = id_of(c->v[0]); }

/* The last chunk that begins at or below id; 0 when all begin above. */
static size_t chunk_of(const struct index *x, uint64_t id)
{
    size_t lo = 0, hi = x->n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->v[mid]->first <= id)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* The first slot with an id at or above id; c->n when there is none. */
static uint32_t slot_of(const struct ids_chunk *c, uint64_t id)
{
    uint32_t lo = 0, hi = c->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (id_of(c->v[mid]) < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct ids_chunk *chunk_new(struct index *x, size_t at)
{
    if (x->n == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 16;
        struct ids_chunk **v = realloc(x->v, cap * sizeof *v);
        if (!v)
            return NULL;
        x->v = v;
        x->cap = cap;
    }
    struct ids_chunk *c = cell_take(sizeof *c);
    if (!c)
        return NULL;
    memmove(x->v + at + 1, x->v + at, (x->n - at) * sizeof *x->v);
    x->v[at] = c;
    x->n++;
    return c;
}

/* The last few of the full chunk `at` move into the next one, which has room. */
static void spill(struct index *x, size_t at)
{
    struct ids_chunk *c = x->v[at], *next = x->v[at + 1];
    uint32_t n = SLOTS - next->n < SPILL ? SLOTS - next->n : SPILL;
    memmove(next->v + n, next->v, next->n * sizeof *c->v);
    memcpy(next->v, c->v + c->n - n, n * sizeof *c->v);
    c->n -= n;
    next->n += n;
    changed(next);
}

/* Makes room in the full chunk `at`. Ids come nearly in order: one that is a little late finds it in the next chunk, so
 * that chunks stay full. Between full ones the half above moves into a chunk of its own. */
static bool split(struct index *x, size_t at)
{
    if (at + 1 == x->n && !chunk_new(x, x->n))
        return false;
    if (x->v[at + 1]->n < SLOTS) {
        spill(x, at);
        return true;
    }
    struct ids_chunk *c = x->v[at], *up = chunk_new(x, at + 1);
    if (!up)
        return false;
    up->n = c->n / 2;
    c->n -= up->n;
    memcpy(up->v, c->v + c->n, up->n * sizeof *c->v);
    changed(up);
    return true;
}

bool ids_add(struct index *x, void *what)
{
    uint64_t id = id_of(what);
    size_t at = chunk_of(x, id);
    struct ids_chunk *c = x->n ? x->v[at] : NULL;
    if (!c || (at + 1 == x->n && c->n == SLOTS && id_of(c->v[c->n - 1]) < id)) {
        if (!(c = chunk_new(x, x->n)))
            return false;
    }
    while (c->n == SLOTS) { /* twice when its place has moved to the next one, which became full */
        if (!split(x, at))
            return false;
        at = chunk_of(x, id);
        c = x->v[at];
    }
    uint32_t i = slot_of(c, id);
    if (i < c->n && id_of(c->v[i]) == id)
        return false;
    memmove(c->v + i + 1, c->v + i, (c->n - i) * sizeof *c->v);
    c->v[i] = what;
    c->n++;
    changed(c);
    x->count++;
    return true;
}

static void **find(const struct index *x, uint64_t id, size_t *ret_chunk)
{
    if (!x->n)
        return NULL;
    *ret_chunk = chunk_of(x, id);
    struct ids_chunk *c = x->v[*ret_chunk];
    uint32_t i = slot_of(c, id);
    return i < c->n && id_of(c->v[i]) == id ? &c->v[i] : NULL;
}

void *ids_find(const struct index *x, uint64_t id)
{
    size_t at;
    void **s = find(x, id, &at);
    return s ? *s : NULL;
}

static void chunk_drop(struct index *x, size_t at)
{
    cell_give(x->v[at], sizeof *x->v[at]);
    x->n--;
    memmove(x->v + at, x->v + at + 1, (x->n - at) * sizeof *x->v);
}

/* Two neighbours that fill less than half of one become one. */
static void join(struct index *x, size_t at)
{
    if (at + 1 >= x->n)
        return;
    struct ids_chunk *c = x->v[at], *up = x->v[at + 1];
    if (c->n + up->n > SLOTS / 2)
        return;
    memcpy(c->v + c->n, up->v, up->n * sizeof *c->v);
    c->n += up->n;
    chunk_drop(x, at + 1);
}

void ids_remove(struct index *x, uint64_t id)
{
    size_t at;
    void **s = find(x, id, &at);
    if (!s)
        return;
    struct ids_chunk *c = x->v[at];
    uint32_t i = (uint32_t)(s - c->v);
    memmove(c->v + i, c->v + i + 1, (c->n - i - 1) * sizeof *c->v);
    c->n--;
    x->count--;
    if (!c->n) {
        chunk_drop(x, at);
        return;
    }
    changed(c);
    join(x, at);
    if (at)
        join(x, at - 1);
}

void *ids_next(const struct index *x, uint64_t after)
{
    if (!x->n || after == UINT64_MAX)
        return NULL;
    size_t at = chunk_of(x, after + 1);
    uint32_t i = slot_of(x->v[at], after + 1);
    if (i < x->v[at]->n)
        return x->v[at]->v[i];
    return at + 1 < x->n ? x->v[at + 1]->v[0] : NULL;
}

void *ids_first(const struct index *x) { return x->n ? x->v[0]->v[0] : NULL; }

void ids_free(struct index *x)
{
    for (size_t i = 0; i < x->n; i++)
        cell_give(x->v[i], sizeof *x->v[i]);
    free(x->v);
    *x = (struct index){0};
}
