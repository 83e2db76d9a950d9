/*
 * Answers by name and type until their time to live has passed: shared by all loops, in shards with a
 * lock each, bounded in number and octets; the one that was used longest ago goes first.
 */
#include "net/dns.h"

#include <stdlib.h>

enum {
    SHARDS = 16,
    SHARD_ENTRIES = 100000 / SHARDS,
    SHARD_BYTES = 64 * 1024 * 1024 / SHARDS,
    ENTRY_COST = sizeof(struct dns_result) + 112, /* of an entry besides its name and the answer */
    SWEEP = 2, /* entries looked at for each that comes: the cache outlives no answer by much */
};

struct entry {
    struct map_node node;
    struct list used; /* newest first */
    struct dns_result *result;
    uint64_t world;
    unsigned type;
    size_t n;
    char name[];
};
static struct shard {
    struct lock lock;
    struct map map;
    struct list used;
    size_t bytes;
} shards[SHARDS];

/* ---- results ---- */

static size_t octets_of(const struct dns_answer *a)
{
    size_t n = a->n * sizeof *a->v + a->canonical.n;
    for (size_t i = 0; i < a->n; i++)
        n += a->v[i].data.n;
    return n;
}

static str put_octets(char **at, str s)
{
    str kept = str_mem(*at, s.n);
    memcpy(*at, s.n ? s.p : "", s.n);
    *at += s.n;
    return kept;
}

struct dns_result *dns_result_new(err e, const struct dns_answer *a)
{
    struct dns_result *r = malloc(sizeof *r + octets_of(a));
    if (!r)
        return NULL;
    *r = (struct dns_result){.e = e, .answer = *a};
    atomic_store(&r->refs, 1);
    r->answer.v = (struct dns_record *)(r + 1);
    char *at = (char *)&r->answer.v[a->n];
    for (size_t i = 0; i < a->n; i++) {
        r->answer.v[i] = a->v[i];
        r->answer.v[i].data = put_octets(&at, a->v[i].data);
    }
    r->answer.canonical = put_octets(&at, a->canonical);
    return r;
}

struct dns_result *dns_result_ref(struct dns_result *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void dns_result_drop(struct dns_result **r)
{
    struct dns_result *old = *r;
    *r = NULL;
    if (old && atomic_fetch_sub(&old->refs, 1) == 1)
        free(old);
}

/* ---- the cache ---- */

static uint64_t key_of(str name, unsigned type) { return str_hash(name) + type * 0x9e3779b97f4a7c15u; }
static struct shard *shard_of(uint64_t key) { return &shards[key >> 60]; }
static size_t cost_of(const struct entry *e) { return ENTRY_COST + e->n + octets_of(&e->result->answer); }

static struct entry *find(struct shard *s, uint64_t key, str name, unsigned type, uint64_t world)
{
    for (struct map_node *n = map_find(&s->map, key); n; n = map_next_equal(n)) {
        struct entry *e = container_of(n, struct entry, node);
        if (e->type == type && e->world == world && str_eq(str_mem(e->name, e->n), name))
            return e;
    }
    return NULL;
}

static void drop(struct shard *s, struct entry *e)
{
    s->bytes -= cost_of(e);
    map_remove(&s->map, &e->node);
    list_remove(&e->used);
    dns_result_drop(&e->result);
    free(e);
}

static struct entry *last_of(struct shard *s) { return container_of(s->used.prev, struct entry, used); }

struct dns_result *dns_cache_get(str name, unsigned type, uint64_t world)
{
    uint64_t key = key_of(name, type);
    struct shard *s = shard_of(key);
    struct dns_result *r = NULL;
    lock_take(&s->lock);
    struct entry *e = find(s, key, name, type, world);
    if (e && e->result->until <= rt_now()) {
        drop(s, e);
    } else if (e) {
        r = dns_result_ref(e->result);
        list_remove(&e->used);
        list_push_front(&s->used, &e->used);
    }
    lock_drop(&s->lock);
    return r;
}

void dns_cache_put(str name, unsigned type, uint64_t world, struct dns_result *r)
{
    uint64_t key = key_of(name, type);
    struct shard *s = shard_of(key);
    struct entry *e = r->until > rt_now() ? calloc(1, sizeof *e + name.n) : NULL;
    if (!e)
        return;
    e->result = dns_result_ref(r);
    e->type = type;
    e->world = world;
    e->n = name.n;
    memcpy(e->name, name.p, name.n);
    lock_take(&s->lock);
    if (!s->used.next)
        list_init(&s->used);
    struct entry *old = find(s, key, name, type, world);
    if (old)
        drop(s, old);
    for (int i = 0; i < SWEEP && s->map.n && last_of(s)->result->until <= rt_now(); i++)
        drop(s, last_of(s));
    while (s->map.n && (s->map.n >= SHARD_ENTRIES || s->bytes + cost_of(e) > SHARD_BYTES))
        drop(s, last_of(s));
    if (map_add(&s->map, &e->node, key)) {
        list_push_front(&s->used, &e->used);
        s->bytes += cost_of(e);
        e = NULL;
    }
    lock_drop(&s->lock);
    if (e) {
        dns_result_drop(&e->result);
        free(e);
    }
}

void dns_cache_clear(void)
{
    for (struct shard *s = shards; s < shards + SHARDS; s++) {
        lock_take(&s->lock);
        while (s->map.n)
            drop(s, last_of(s));
        map_free(&s->map);
        lock_drop(&s->lock);
    }
}
