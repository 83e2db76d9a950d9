/*
 * How many connections an address has, and how fast it makes new ones, over all loops (one entry for an IPv4
 * address or an IPv6 /64). Entries without connections leave after their minute; the table is bounded.
 */
#include "recv/internal.h"
#include "base/map.h"

#include <stdlib.h>

enum { ENTRIES_MAX = 1000000 };
#define WINDOW (60 * RT_S)

struct entry {
    struct map_node node;
    struct list age; /* oldest window first */
    struct ip ip;
    uint32_t open, recent; /* recent: begun within the window */
    rt_time since;
};

static struct {
    struct lock lock;
    struct map map;
    struct list age;
    uint32_t open;
} gate = {.age = LIST_INIT(gate.age)};

static struct ip key_of(const struct ip *ip) { return ip_mask(ip, ip->v == 6 ? 64 : 32); }
static uint64_t hash_of(const struct ip *ip) { return str_hash(str_mem(ip, sizeof *ip)); }

static struct entry *find(const struct ip *key, uint64_t hash)
{
    for (struct map_node *n = map_find(&gate.map, hash); n; n = map_next_equal(n)) {
        struct entry *e = container_of(n, struct entry, node);
        if (ip_eq(&e->ip, key))
            return e;
    }
    return NULL;
}

/* Two of the oldest, so that the table shrinks as fast as it grows. */
static void sweep(rt_time now)
{
    for (int i = 0; i < 2 && !list_empty(&gate.age); i++) {
        struct entry *e = container_of(gate.age.next, struct entry, age);
        if (now - e->since < WINDOW)
            return;
        list_remove(&e->age);
        if (e->open) {
            e->since = now;
            e->recent = 0;
            list_push_back(&gate.age, &e->age);
        } else {
            map_remove(&gate.map, &e->node);
            free(e);
        }
    }
}

static struct entry *make(const struct ip *key, uint64_t hash, rt_time now)
{
    struct entry *e = gate.map.n < ENTRIES_MAX ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return NULL;
    e->ip = *key;
    e->since = now;
    if (!map_add(&gate.map, &e->node, hash)) {
        free(e);
        return NULL;
    }
    list_push_back(&gate.age, &e->age);
    return e;
}

static enum gate_result weigh(const struct conf *c, struct entry *e, rt_time now)
{
    if (now - e->since >= WINDOW) {
        e->since = now;
        e->recent = 0;
        list_remove(&e->age);
        list_push_back(&gate.age, &e->age);
    }
    if (e->open >= (uint32_t)c->limits_connections_per_address)
        return GATE_MANY;
    if (e->recent >= (uint32_t)c->limits_connection_rate)
        return GATE_FAST;
    e->open++;
    e->recent++;
    return GATE_OK;
}

static bool counted(const struct conf *c, const struct ip *ip) { return ip->v && !nets_have(&c->limit_exempt, ip); }

/* Without memory for an entry the address is let in: refusing mail would be the worse error. It has no entry to leave.
 */
enum gate_result gate_enter(const struct conf *c, const struct ip *ip)
{
    bool count = counted(c, ip);
    struct ip key = key_of(ip);
    uint64_t hash = count ? hash_of(&key) : 0;
    rt_time now = rt_now();
    enum gate_result result = GATE_OK;
    lock_take(&gate.lock);
    sweep(now);
    if (gate.open >= (uint32_t)c->limits_connections) {
        result = GATE_FULL;
    } else if (count) {
        struct entry *e = find(&key, hash);
        e = e ? e : make(&key, hash, now);
        result = e ? weigh(c, e, now) : GATE_OK;
    }
    gate.open += result == GATE_OK;
    lock_drop(&gate.lock);
    return result;
}

/* `c` is the generation that the connection entered with. */
void gate_leave(const struct conf *c, const struct ip *ip)
{
    bool count = counted(c, ip);
    struct ip key = key_of(ip);
    lock_take(&gate.lock);
    gate.open--;
    struct entry *e = count ? find(&key, hash_of(&key)) : NULL;
    if (e && e->open)
        e->open--;
    lock_drop(&gate.lock);
}
