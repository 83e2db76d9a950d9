/*
 * Answers by name and type until their time to live has passed: shared by all loops, in shards with a
 * lock each, bounded in number and octets; the one that was used longest ago goes first. A large queue asks for
 * a hundred thousand names, so that they are kept packed: some 100 octets for an address.
 */
#include "net/dns.h"
#include "base/buf.h"
#include "rt/cells.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHARDS = 16,
    SHARD_ENTRIES = 65536 / SHARDS,
    SHARD_BYTES = 64 * 1024 * 1024 / SHARDS,
    SWEEP = 2,                    /* entries looked at for each that comes: the cache outlives no answer by much */
    FIXED = 3 * sizeof(uint16_t), /* of a packed record: preference, port, octets of its data */
};

struct entry {
    struct map_node node;
    struct list used; /* newest first */
    rt_time until;
    uint32_t size;  /* octets of text */
    uint32_t world; /* half of the hash will do */
    uint16_t type, records, e;
    uint8_t name, canonical; /* octets */
    bool secure, own_name;   /* own_name: the canonical name is the name itself */
    char text[];             /* the name, the canonical one, then of each record FIXED octets and its data */
};
_Static_assert(DNS_NAME_MAX <= UINT8_MAX, "a name's length is an octet here");
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

/* ---- packing ---- */

static size_t packed_size(str name, const struct dns_answer *a, bool own_name)
{
    size_t n = name.n + (own_name ? 0 : a->canonical.n);
    for (size_t i = 0; i < a->n; i++)
        n += FIXED + a->v[i].data.n;
    return n;
}

static void entry_free(struct entry *e)
{
    if (e)
        cell_give(e, sizeof *e + e->size);
}

/* NULL: no memory, or not of a kind that is kept. */
static struct entry *pack(str name, unsigned type, uint64_t world, const struct dns_result *r)
{
    const struct dns_answer *a = &r->answer;
    bool own_name = str_eq(a->canonical, name);
    size_t size = packed_size(name, a, own_name);
    bool fits = size < SHARD_BYTES && name.n <= UINT8_MAX && a->canonical.n <= UINT8_MAX && a->n <= UINT16_MAX;
    struct entry *e = fits ? cell_take(sizeof *e + size) : NULL;
    if (!e)
        return NULL;
    e->world = (uint32_t)world;
    e->until = r->until;
    e->size = (uint32_t)size;
    e->type = (uint16_t)type;
    e->records = (uint16_t)a->n;
    e->e = (uint16_t)r->e;
    e->name = (uint8_t)name.n;
    e->canonical = own_name ? 0 : (uint8_t)a->canonical.n;
    e->secure = a->secure;
    e->own_name = own_name;
    struct buf text;
    buf_init_fixed(&text, e->text, size);
    buf_add(&text, name);
    buf_add(&text, str_sub(a->canonical, 0, e->canonical));
    for (size_t i = 0; i < a->n; i++) {
        buf_put_u16(&text, a->v[i].preference);
        buf_put_u16(&text, a->v[i].port);
        buf_put_str16(&text, a->v[i].data);
    }
    if (text.e) /* data that is longer than a length here can say */
        entry_free(e), e = NULL;
    return e;
}

static str name_of(const struct entry *e) { return str_mem(e->text, e->name); }

static struct dns_result *unpack(const struct entry *e)
{
    struct dns_answer a = {.n = e->records, .secure = e->secure};
    struct cur text = cur_of(str_mem(e->text, e->size));
    str name = cur_bytes(&text, e->name), canonical = cur_bytes(&text, e->canonical);
    a.canonical = e->own_name ? name : canonical;
    struct dns_record few[8], *v = a.n <= 8 ? few : calloc(a.n, sizeof *v);
    if (!v)
        return NULL;
    for (size_t i = 0; i < a.n; i++) {
        v[i].preference = cur_u16(&text);
        v[i].port = cur_u16(&text);
        v[i].data = cur_str16(&text);
    }
    a.v = v;
    struct dns_result *r = dns_result_new((err)e->e, &a);
    if (r)
        r->until = e->until;
    if (v != few)
        free(v);
    return r;
}

/* ---- the cache ---- */

static uint64_t key_of(str name, unsigned type) { return str_hash(name) + type * 0x9e3779b97f4a7c15u; }
static struct shard *shard_of(uint64_t key) { return &shards[key >> 60]; }
static size_t cost_of(const struct entry *e) { return sizeof *e + e->size + 16; } /* 16: the heap's and the map's */

static struct entry *find(struct shard *s, uint64_t key, str name, unsigned type, uint64_t world)
{
    for (struct map_node *n = map_find(&s->map, key); n; n = map_next_equal(n)) {
        struct entry *e = container_of(n, struct entry, node);
        if (e->type == type && e->world == (uint32_t)world && str_eq(name_of(e), name))
            return e;
    }
    return NULL;
}

static void drop(struct shard *s, struct entry *e)
{
    s->bytes -= cost_of(e);
    map_remove(&s->map, &e->node);
    list_remove(&e->used);
    entry_free(e);
}

static struct entry *last_of(struct shard *s) { return container_of(s->used.prev, struct entry, used); }

struct dns_result *dns_cache_get(str name, unsigned type, uint64_t world)
{
    uint64_t key = key_of(name, type);
    struct shard *s = shard_of(key);
    struct dns_result *r = NULL;
    lock_take(&s->lock);
    struct entry *e = find(s, key, name, type, world);
    if (e && e->until <= rt_now()) {
        drop(s, e);
    } else if (e) {
        r = unpack(e);
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
    struct entry *e = r->until > rt_now() ? pack(name, type, world, r) : NULL;
    if (!e)
        return;
    lock_take(&s->lock);
    if (!s->used.next)
        list_init(&s->used);
    struct entry *old = find(s, key, name, type, world);
    if (old)
        drop(s, old);
    for (int i = 0; i < SWEEP && s->map.n && last_of(s)->until <= rt_now(); i++)
        drop(s, last_of(s));
    while (s->map.n && (s->map.n >= SHARD_ENTRIES || s->bytes + cost_of(e) > SHARD_BYTES))
        drop(s, last_of(s));
    if (map_add(&s->map, &e->node, key)) {
        list_push_front(&s->used, &e->used);
        s->bytes += cost_of(e);
        e = NULL;
    }
    lock_drop(&s->lock);
    entry_free(e);
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
