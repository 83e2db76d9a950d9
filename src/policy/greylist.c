/*
 * The table of greylisting: one kind of entry for triplets, clients and domains, found by a hash under a secret that
 * lies in the database, least recently used first. The lock is held for a few steps only.
 */
#include "policy/greylist.h"
#include "base/map.h"
#include "policy/greylist_store.h"

#include <stdlib.h>

enum { KIND_TRIPLET = 1, KIND_CLIENT, KIND_DOMAIN };
enum { LOCAL_MAX = 64 };

struct entry {
    struct map_node node; /* hash: the key */
    struct list age;
    struct list dirty; /* in no list: as it is on disk */
    uint32_t first, last, passes;
};

static struct {
    struct lock lock;
    struct map map;
    struct list age, dirty;
    uint64_t secret[2];
} grey = {.age = LIST_INIT(grey.age), .dirty = LIST_INIT(grey.dirty)};

/* ---- keys ---- */

static uint64_t mix(uint64_t h, str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 0x100000001b3u;
    h ^= h >> 32;
    return (h ^ grey.secret[1]) * 0x9e3779b97f4a7c15u + s.n;
}

/* What differs from one try to the next is left out: the detail of a sub-address, the numbers of a VERP sender. */
static uint64_t mix_address(uint64_t h, str address)
{
    char mem[LOCAL_MAX];
    size_t at = str_rfind(address, '@'), n = 0;
    str local = str_sub(address, 0, at == STR_NONE ? address.n : at);
    bool number = false;
    for (size_t i = 0; i < local.n && n < sizeof mem && local.p[i] != '+'; i++) {
        if (ascii_digit(local.p[i]) && number)
            continue;
        number = ascii_digit(local.p[i]);
        mem[n++] = number ? '#' : local.p[i];
    }
    h = mix(h, str_mem(mem, n));
    return mix(h, at == STR_NONE ? S("") : str_skip(address, at));
}

static uint64_t client_key(const struct ip *ip)
{
    struct ip net = ip_mask(ip, ip->v == 6 ? 64 : 24);
    return mix(mix(grey.secret[0] + KIND_CLIENT, str_mem(&net.v, 1)), str_mem(net.b, sizeof net.b)) | 1;
}

static uint64_t domain_key(str domain) { return mix(grey.secret[0] + KIND_DOMAIN, domain) | 1; }

static uint64_t triplet_key(const struct grey_ask *a)
{
    uint64_t from = a->domain.n ? domain_key(a->domain) : client_key(&a->client);
    return mix_address(mix_address(from + KIND_TRIPLET, a->sender), a->recipient) | 1;
}

/* ---- entries, under the lock ---- */

static struct entry *find(uint64_t key)
{
    struct map_node *n = map_find(&grey.map, key);
    return n ? container_of(n, struct entry, node) : NULL;
}

static void forget(struct entry *e)
{
    list_remove(&e->age);
    list_remove(&e->dirty);
    map_remove(&grey.map, &e->node);
    free(e);
    metric_add(M_greylist_entries, -1);
}

static void touch(struct entry *e, uint32_t now)
{
    e->last = now;
    list_remove(&e->age);
    list_push_back(&grey.age, &e->age);
    if (list_empty(&e->dirty))
        list_push_back(&grey.dirty, &e->dirty);
}

static struct entry *make(uint64_t key, uint32_t now, uint32_t most)
{
    while (grey.map.n >= most && !list_empty(&grey.age))
        forget(container_of(grey.age.next, struct entry, age));
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    list_init(&e->age);
    list_init(&e->dirty);
    if (!map_add(&grey.map, &e->node, key)) {
        free(e);
        return NULL;
    }
    e->first = now;
    metric_add(M_greylist_entries, 1);
    return e;
}

static struct entry *fresh(uint64_t key, const struct grey_rules *r, uint32_t now)
{
    struct entry *e = find(key);
    return e && now - e->last <= r->keep_s ? e : NULL;
}

static bool known(uint64_t key, const struct grey_rules *r, uint32_t now, bool use)
{
    struct entry *e = r->passes ? fresh(key, r, now) : NULL;
    if (!e || e->passes < r->passes)
        return false;
    if (use)
        touch(e, now);
    return true;
}

static void learn(uint64_t key, const struct grey_rules *r, uint32_t now)
{
    struct entry *e = fresh(key, r, now);
    if (!e) {
        e = find(key);
        if (e)
            e->passes = 0;
        else
            e = make(key, now, r->entries);
    }
    if (!e)
        return;
    e->passes++;
    touch(e, now);
}

/* ---- asking ---- */

void grey_rules_of(struct grey_rules *r, const struct conf *c)
{
    *r = (struct grey_rules){.delay_s = c->policy_greylist_delay / RT_S,
                             .window_s = c->policy_greylist_window / RT_S,
                             .keep_s = c->policy_greylist_keep / RT_S,
                             .passes = (uint32_t)c->policy_greylist_passes,
                             .entries = (uint32_t)c->policy_greylist_entries};
}

/* Without memory mail is let in. */
static enum grey_answer triplet(const struct grey_ask *a, const struct grey_rules *r, uint32_t now, uint32_t *ret_wait)
{
    uint64_t key = triplet_key(a);
    struct entry *e = find(key);
    bool over = e && (e->passes ? now - e->last > r->keep_s : now - e->first > r->window_s);
    if (e && !over) {
        int64_t age = (int64_t)now - e->first;
        bool again = e->passes || age >= r->delay_s;
        if (!again)
            *ret_wait = (uint32_t)(r->delay_s - age);
        else if (e->passes++ == 0)
            learn(a->domain.n ? domain_key(a->domain) : client_key(&a->client), r, now);
        e = find(key); /* learning may have made room */
        if (e)
            touch(e, now);
        return again ? GREY_AGAIN : GREY_EARLY;
    }
    if (!e)
        e = make(key, now, r->entries);
    if (!e)
        return GREY_KNOWN;
    e->first = now;
    e->passes = 0;
    touch(e, now);
    *ret_wait = (uint32_t)r->delay_s;
    return GREY_NEW;
}

enum grey_answer grey_ask(const struct grey_ask *a, const struct grey_rules *r, uint32_t *ret_wait_s)
{
    uint32_t now = (uint32_t)a->now_s;
    enum grey_answer what;
    *ret_wait_s = 0;
    lock_take(&grey.lock);
    if (known(client_key(&a->client), r, now, true) || (a->domain.n && known(domain_key(a->domain), r, now, true)))
        what = GREY_KNOWN;
    else
        what = triplet(a, r, now, ret_wait_s);
    lock_drop(&grey.lock);
    return what;
}

bool grey_knows(const struct ip *client, str domain, const struct grey_rules *r, int64_t now_s)
{
    lock_take(&grey.lock);
    bool yes = known(client_key(client), r, (uint32_t)now_s, false) ||
               (domain.n && known(domain_key(domain), r, (uint32_t)now_s, false));
    lock_drop(&grey.lock);
    return yes;
}

size_t grey_count(void)
{
    lock_take(&grey.lock);
    size_t n = grey.map.n;
    lock_drop(&grey.lock);
    return n;
}

/* ---- for the store ---- */

void grey_secret(const uint64_t v[2])
{
    grey.secret[0] = v[0];
    grey.secret[1] = v[1];
}

bool grey_load(const struct grey_row *row)
{
    lock_take(&grey.lock);
    struct entry *e = find(row->key) ? NULL : make(row->key, row->first, UINT32_MAX);
    if (e) {
        e->last = row->last;
        e->passes = row->passes;
        list_push_back(&grey.age, &e->age);
    }
    lock_drop(&grey.lock);
    return e != NULL;
}

size_t grey_take_dirty(struct grey_row *v, size_t n)
{
    size_t got = 0;
    lock_take(&grey.lock);
    for (struct list *l; got < n && (l = list_pop_front(&grey.dirty)) != NULL; got++) {
        struct entry *e = container_of(l, struct entry, dirty);
        v[got] = (struct grey_row){e->node.hash, e->first, e->last, e->passes};
    }
    lock_drop(&grey.lock);
    return got;
}

/* The oldest that were not used for so long, a few at a time. */
size_t grey_expire(uint32_t before)
{
    enum { AT_ONCE = 1000 };
    size_t n = 0;
    lock_take(&grey.lock);
    while (n < AT_ONCE && !list_empty(&grey.age)) {
        struct entry *e = container_of(grey.age.next, struct entry, age);
        if (e->last >= before)
            break;
        forget(e);
        n++;
    }
    lock_drop(&grey.lock);
    return n;
}

void grey_clear(void)
{
    lock_take(&grey.lock);
    while (!list_empty(&grey.age))
        forget(container_of(grey.age.next, struct entry, age));
    map_free(&grey.map);
    lock_drop(&grey.lock);
}
