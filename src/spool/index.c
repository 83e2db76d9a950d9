/*
 * Where each message lies: open addressing in 64 shards, so that growing one moves little at a time. 24
 * bytes an entry; a shard grows by a sixteenth when eight ninths are used: 27 to 29 bytes a message.
 */
#include "spool/internal.h"

#include <stdlib.h>

static uint64_t mix(uint64_t id)
{
    id ^= id >> 32;
    id *= 0x9e3779b97f4a7c15u;
    return id ^ id >> 29;
}
static struct index_shard *shard_of(struct index *x, uint64_t h) { return &x->shard[h >> 58]; }
static uint32_t home(const struct index_shard *s, uint64_t h) { return (uint32_t)((h & 0xffffffff) * s->cap >> 32); }

static struct entry *insert(struct index_shard *s, const struct entry *e)
{
    uint32_t i = home(s, mix(e->id));
    while (s->v[i].id)
        i = i + 1 == s->cap ? 0 : i + 1;
    s->v[i] = *e;
    s->n++;
    return &s->v[i];
}

static bool resize(struct index_shard *s, uint64_t cap)
{
    if (cap > UINT32_MAX)
        return false;
    struct index_shard other = {calloc(cap, sizeof *other.v), 0, (uint32_t)cap};
    if (!other.v)
        return false;
    for (uint32_t i = 0; i < s->cap; i++)
        if (s->v[i].id)
            insert(&other, &s->v[i]);
    free(s->v);
    *s = other;
    return true;
}

bool index_reserve(struct index *x, uint64_t id, uint32_t more)
{
    struct index_shard *s = shard_of(x, mix(id));
    uint64_t need = ((uint64_t)s->n + more) * 9 / 8 + 1, cap = s->cap, grown = cap + cap / 16 + 16;
    if (need > cap)
        return resize(s, need > grown ? need : grown);
    if (cap > 1024 && need < cap / 4)
        resize(s, need * 2); /* it shrank: without memory it stays as it is */
    return true;
}

struct entry *index_find(struct index *x, uint64_t id)
{
    uint64_t h = mix(id);
    struct index_shard *s = shard_of(x, h);
    if (!s->cap)
        return NULL;
    uint32_t i = home(s, h);
    while (s->v[i].id && s->v[i].id != id)
        i = i + 1 == s->cap ? 0 : i + 1;
    return s->v[i].id ? &s->v[i] : NULL;
}

void index_fetch(const struct index *x, uint64_t id)
{
    uint64_t h = mix(id);
    const struct index_shard *s = &x->shard[h >> 58];
    if (s->cap)
        __builtin_prefetch(&s->v[home(s, h)]);
}

struct entry *index_add(struct index *x, uint64_t id)
{
    struct entry e = {.id = id};
    x->n++;
    return insert(shard_of(x, mix(id)), &e);
}

/* Closes the gap: entries that were pushed past it move back. */
void index_remove(struct index *x, struct entry *e)
{
    struct index_shard *s = shard_of(x, mix(e->id));
    uint32_t gap = (uint32_t)(e - s->v), i = gap;
    for (;;) {
        i = i + 1 == s->cap ? 0 : i + 1;
        if (!s->v[i].id)
            break;
        uint32_t want = home(s, mix(s->v[i].id));
        bool stays = gap <= i ? gap < want && want <= i : gap < want || want <= i;
        if (stays)
            continue;
        s->v[gap] = s->v[i];
        gap = i;
    }
    s->v[gap] = (struct entry){0};
    s->n--;
    x->n--;
}

void index_free(struct index *x)
{
    for (int i = 0; i < INDEX_SHARDS; i++)
        free(x->shard[i].v);
    *x = (struct index){0};
}
