/* What a durable record changes in memory: index, chunks, and the accounts by which segments are freed. */
#include "spool/internal.h"

#include <stdlib.h>

enum { CHUNKS_MAX = 1 << 20 };

struct seg *seg_of_gen(const struct engine *e, uint64_t gen)
{
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i] && e->segs[i]->gen == gen)
            return e->segs[i];
    return NULL;
}

static uint64_t id_hash(uint64_t id) { return id * 0x9e3779b97f4a7c15u >> 20; }

struct chunks *chunks_find(struct engine *e, uint64_t id)
{
    struct map_node *n = map_find(&e->chunks, id_hash(id));
    while (n && container_of(n, struct chunks, node)->id != id)
        n = map_next_equal(n);
    return n ? container_of(n, struct chunks, node) : NULL;
}

static err chunks_reserve(struct engine *e, uint64_t id, uint64_t n)
{
    if (n >= CHUNKS_MAX)
        return E_LIMIT;
    struct chunks *c = chunks_find(e, id);
    if (c && n < c->cap)
        return OK;
    uint32_t cap = c ? c->cap : 8;
    while (cap <= n)
        cap *= 2;
    struct chunks *more = calloc(1, sizeof *more + cap * sizeof *more->v);
    if (!more)
        return E_NOMEM;
    *more = (struct chunks){.id = id, .cap = cap};
    if (!map_add(&e->chunks, &more->node, id_hash(id))) {
        free(more);
        return E_NOMEM;
    }
    if (c) {
        more->n = c->n;
        memcpy(more->v, c->v, c->n * sizeof *c->v);
        map_remove(&e->chunks, &c->node);
        free(c);
    }
    return OK;
}

err apply_reserve(struct engine *e, const struct rec *r, uint32_t messages)
{
    err bad = OK;
    lock_take(&e->lock);
    if (r->type == REC_MESSAGE && !index_reserve(&e->index, r->id, messages))
        bad = E_NOMEM;
    if (r->type == REC_CHUNK && !(r->flags & REC_COPY))
        bad = chunks_reserve(e, r->id, r->aux);
    lock_drop(&e->lock);
    return bad;
}

static void live_more(struct seg *s, uint32_t len)
{
    s->live++;
    s->live_bytes += len;
}

static void live_less(struct engine *e, uint32_t slot, uint32_t len)
{
    struct seg *s = e->segs[slot];
    s->live_bytes -= len;
    if (--s->live == 0 && s->state == SEG_SEALED)
        atomic_store_explicit(&e->work, true, memory_order_relaxed);
}

void chunks_end(struct engine *e, uint64_t id)
{
    struct chunks *c = chunks_find(e, id);
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->v[i].len)
            live_less(e, c->v[i].slot, c->v[i].len);
    map_remove(&e->chunks, &c->node);
    free(c);
}

void move_needs(struct engine *e, struct seg *from, struct seg *to)
{
    if (from == to)
        return;
    bit_set(to->after, from->slot);
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i] && bit_get(e->segs[i]->needs, from->slot))
            bit_set(e->segs[i]->needs, to->slot);
}

/* The later record counts: a new message, a copy by compaction, or (at a start) the later of two. */
static void apply_message(struct engine *e, struct seg *s, const struct foot_entry *f)
{
    struct entry *at = index_find(&e->index, f->id);
    if (!at && f->flags & REC_COPY && e->running)
        return;
    if (at) {
        live_less(e, entry_slot(at), at->len);
        move_needs(e, e->segs[entry_slot(at)], s);
    } else {
        at = index_add(&e->index, f->id);
    }
    at->off = f->off;
    at->len = f->len;
    at->slot_one = s->slot << 1 | !!(f->flags & REC_ONE);
    live_more(s, f->len);
}

static void apply_chunk(struct engine *e, struct seg *s, const struct foot_entry *f)
{
    struct chunks *c = chunks_find(e, f->id);
    if (!c || f->aux >= c->cap)
        return; /* forgotten meanwhile */
    while (c->n <= f->aux)
        c->v[c->n++] = (struct place){0};
    struct place *p = &c->v[f->aux];
    if (p->len)
        live_less(e, p->slot, p->len);
    *p = (struct place){s->slot, f->off, f->len};
    live_more(s, f->len);
}

static void apply_end(struct engine *e, struct seg *s, const struct foot_entry *f)
{
    struct entry *at = index_find(&e->index, f->id);
    struct seg *where = at ? e->segs[entry_slot(at)] : f->flags & REC_COPY ? seg_of_gen(e, f->aux) : NULL;
    if (where && where != s)
        bit_set(s->needs, where->slot);
    if (!at)
        return;
    live_less(e, where->slot, at->len);
    index_remove(&e->index, at);
    chunks_end(e, f->id);
}

static bool is_newer(const struct entry *at, uint32_t stamp) { return !at->stamp || (int32_t)(stamp - at->stamp) > 0; }

/* A schedule makes the one before it garbage only when it is on the disk itself. What finds no room to wait is on the
 * safe side: the older one stays. */
static void newest(struct engine *e, struct entry *at, uint32_t stamp)
{
    if (!e->unsynced && is_newer(at, stamp))
        at->stamp = stamp;
    else if (e->unsynced && e->nlazy < LAZY_MAX)
        e->lazy[e->nlazy++] = (struct lazy){at->id, stamp};
}

void apply(struct engine *e, struct seg *s, const struct foot_entry *f)
{
    struct entry *at;
    switch (f->type) {
    case REC_MESSAGE:
        apply_message(e, s, f);
        return;
    case REC_CHUNK:
        apply_chunk(e, s, f);
        return;
    case REC_END:
        s->state_bytes += f->len;
        apply_end(e, s, f);
        return;
    default:
        s->state_bytes += f->len;
        at = index_find(&e->index, f->id);
        if (at && entry_slot(at) != s->slot)
            bit_set(s->needs, entry_slot(at));
        if (at && f->type == REC_RETRIES && at->slot_one & 1)
            newest(e, at, (uint32_t)f->aux);
    }
}

void apply_synced(struct engine *e)
{
    for (uint32_t i = 0; i < e->nlazy; i++) {
        struct entry *at = index_find(&e->index, e->lazy[i].id);
        if (at && is_newer(at, e->lazy[i].stamp))
            at->stamp = e->lazy[i].stamp;
    }
    e->nlazy = 0;
}

bool apply_needed(struct engine *e, const struct seg *from, const struct foot_entry *f)
{
    struct entry *at = index_find(&e->index, f->id);
    struct chunks *c;
    struct seg *where;
    switch (f->type) {
    case REC_MESSAGE:
        return at && entry_slot(at) == from->slot && at->off == f->off;
    case REC_CHUNK:
        c = chunks_find(e, f->id);
        return c && f->aux < c->n && c->v[f->aux].len && c->v[f->aux].slot == from->slot && c->v[f->aux].off == f->off;
    case REC_RESULTS:
        return at != NULL;
    case REC_RETRIES:
        return at && !(at->slot_one & 1 && (int32_t)(at->stamp - (uint32_t)f->aux) > 0);
    default:
        where = seg_of_gen(e, f->aux);
        return where && where != from;
    }
}

void engine_forget(struct engine *e, uint64_t id)
{
    lock_take(&e->lock);
    if (!index_find(&e->index, id))
        chunks_end(e, id);
    lock_drop(&e->lock);
}
