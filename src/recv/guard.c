/*
 * Failed log-ins, by address (IPv4, or IPv6 /64) and by account, over all loops: counted in a minute and in an hour,
 * slowed, then blocked. And turns: however many sessions one address opens, two of its passwords are verified at once,
 * so that the others' wait is not longer for it.
 */
#include "base/map.h"
#include "db/counts.h"
#include "recv/internal.h"

#include <stdlib.h>

enum { ENTRIES_MAX = 200000, AT_ONCE = 2, WAITING_MAX = 1000, SLOW_WAITING_MAX = 10, KNOWN = 4 };
#define MINUTE (60 * RT_S)
#define HOUR (3600 * RT_S)

struct entry {
    struct map_node node;  /* hash: of what it is about */
    struct list age;       /* least recently used first */
    uint32_t minute, hour; /* failures since: */
    rt_time minute_since, hour_since;
    rt_time next;    /* slowed: the first free second */
    rt_time blocked; /* until */
    uint16_t busy, waiting;
    uint64_t known[KNOWN]; /* of an account: addresses that logged in, newest first */
};

static struct {
    struct lock lock;
    struct map map;
    struct list age;
} guard = {.age = LIST_INIT(guard.age)};

static uint64_t address_key(const struct ip *ip)
{
    struct ip net = ip_mask(ip, ip->v == 6 ? 64 : 32);
    return counts_hash('A', str_mem(&net, sizeof net));
}

static uint64_t account_key(str account) { return counts_hash('B', account); }

static struct entry *find(uint64_t key)
{
    struct map_node *n = map_find(&guard.map, key);
    return n ? container_of(n, struct entry, node) : NULL;
}

/* The least recently used that nobody is in. */
static void make_room(void)
{
    int looks = 8;
    LIST_EACH(it, &guard.age)
    {
        struct entry *e = container_of(it, struct entry, age);
        if (!e->busy && !e->waiting) {
            list_remove(&e->age);
            map_remove(&guard.map, &e->node);
            free(e);
            return;
        }
        if (!--looks)
            return;
    }
}

static struct entry *make(uint64_t key)
{
    struct entry *e = guard.map.n < ENTRIES_MAX ? calloc(1, sizeof *e) : NULL;
    if (!e || !map_add(&guard.map, &e->node, key)) {
        free(e);
        return NULL;
    }
    list_init(&e->age);
    return e;
}

/* NULL without memory. */
static struct entry *get(uint64_t key, rt_time now)
{
    struct entry *e = find(key);
    if (!e) {
        if (guard.map.n >= ENTRIES_MAX)
            make_room();
        e = make(key);
        if (!e)
            return NULL;
        e->minute_since = e->hour_since = now;
    }
    list_remove(&e->age);
    list_push_back(&guard.age, &e->age);
    if (now - e->minute_since >= MINUTE) {
        e->minute_since = now;
        e->minute = 0;
    }
    if (now - e->hour_since >= HOUR) {
        e->hour_since = now;
        e->hour = 0;
    }
    return e;
}

static bool knows(const struct entry *account, uint64_t address)
{
    for (int i = 0; i < KNOWN; i++)
        if (account->known[i] == address)
            return true;
    return false;
}

static bool exempt(const struct conf *c, const struct ip *ip) { return nets_have(&c->limit_exempt, ip); }

static bool is_slow(const struct conf *c, const struct entry *e) { return e->minute >= (uint32_t)c->auth_slow_after; }

/* The turn of one who waits: 0, or how long to wait before the next look; below 0: never. *slot is the second that a
 * slowed client was promised. */
static rt_time turn(const struct conf *c, struct entry *a, struct entry *who, rt_time now, rt_time *slot)
{
    struct entry *slow = is_slow(c, a) ? a : who && is_slow(c, who) ? who : NULL;
    if (slow && !*slot) {
        if (slow->next > now + SLOW_WAITING_MAX * RT_S)
            return -1;
        *slot = slow->next > now ? slow->next : now;
        slow->next = *slot + RT_S;
    }
    if (*slot > now)
        return *slot - now;
    return a->busy < AT_ONCE ? 0 : (10 + 2 * (rt_time)a->waiting) * RT_MS;
}

enum guard_result guard_enter(const struct conf *c, const struct ip *ip, str account)
{
    uint64_t key = address_key(ip), who_key = account.n ? account_key(account) : 0;
    bool free_pass = exempt(c, ip);
    rt_time slot = 0, wait = 0;
    lock_take(&guard.lock);
    rt_time now = rt_now();
    struct entry *a = get(key, now), *who = account.n ? get(who_key, now) : NULL;
    enum guard_result r = !a ? GUARD_WAIT : GUARD_GO;
    if (a && !free_pass && (a->blocked > now || (who && who->blocked > now && !knows(who, key))))
        r = GUARD_BLOCKED;
    if (who && knows(who, key))
        who = NULL; /* the account's own trouble is not this address's */
    if (a && r == GUARD_GO && a->waiting >= WAITING_MAX)
        r = GUARD_WAIT;
    if (r != GUARD_GO) {
        lock_drop(&guard.lock);
        return r;
    }
    a->waiting++; /* keeps the entry */
    while (r == GUARD_GO && (wait = turn(c, a, who, now, &slot)) > 0) {
        lock_drop(&guard.lock);
        err e = fiber_sleep(rt_after(wait));
        lock_take(&guard.lock);
        now = rt_now();
        who = who ? find(who_key) : NULL;
        r = e ? GUARD_WAIT : GUARD_GO;
    }
    a->waiting--;
    if (wait < 0)
        r = GUARD_WAIT;
    if (r == GUARD_GO)
        a->busy++;
    lock_drop(&guard.lock);
    return r;
}

bool guard_calm(const struct conf *c, const struct ip *ip, str account)
{
    uint64_t key = address_key(ip);
    bool calm = true;
    lock_take(&guard.lock);
    rt_time now = rt_now();
    const struct entry *a = get(key, now), *who = account.n ? get(account_key(account), now) : NULL;
    if (!a || is_slow(c, a) || (a->blocked > now && !exempt(c, ip)))
        calm = false;
    if (who && !knows(who, key) && (is_slow(c, who) || (who->blocked > now && !exempt(c, ip))))
        calm = false;
    lock_drop(&guard.lock);
    return calm;
}

void guard_leave(const struct ip *ip)
{
    lock_take(&guard.lock);
    struct entry *a = find(address_key(ip));
    if (a && a->busy)
        a->busy--;
    lock_drop(&guard.lock);
}

static bool count(const struct conf *c, struct entry *e, rt_time now, bool may_block)
{
    e->minute++;
    e->hour++;
    if (!may_block || e->hour < (uint32_t)c->auth_block_after || e->blocked > now)
        return false;
    e->blocked = now + c->auth_block_time;
    e->hour = 0;
    e->hour_since = now;
    return true;
}

bool guard_failed(const struct conf *c, const struct ip *ip, str account)
{
    bool may_block = !exempt(c, ip), blocked = false;
    lock_take(&guard.lock);
    rt_time now = rt_now();
    struct entry *a = get(address_key(ip), now);
    if (a)
        blocked |= count(c, a, now, may_block);
    struct entry *who = account.n ? get(account_key(account), now) : NULL;
    if (who)
        blocked |= count(c, who, now, may_block);
    lock_drop(&guard.lock);
    return blocked;
}

void guard_good(const struct ip *ip, str account)
{
    uint64_t key = address_key(ip);
    lock_take(&guard.lock);
    struct entry *who = get(account_key(account), rt_now());
    if (who && !knows(who, key)) {
        memmove(&who->known[1], &who->known[0], (KNOWN - 1) * sizeof who->known[0]);
        who->known[0] = key;
    }
    lock_drop(&guard.lock);
}

/* ---- what outlives the process: failures of the last hour, blocks, and addresses that accounts know ---- */

static void save(struct counts_out *out)
{
    lock_take(&guard.lock);
    rt_time now = rt_now();
    int looks = 2 * COUNTS_RECORDS_MAX; /* a few ms at most */
    for (struct list *l = guard.age.prev; l != &guard.age && looks; l = l->prev, looks--) {
        const struct entry *e = container_of(l, struct entry, age);
        char mem[96];
        struct buf b;
        if (!(e->hour && now - e->hour_since < HOUR) && e->blocked <= now && !e->known[0])
            continue;
        buf_init_fixed(&b, mem, sizeof mem);
        buf_put_u32(&b, e->minute);
        buf_put_u32(&b, e->hour);
        buf_put_u64(&b, (uint64_t)counts_wall(e->minute_since));
        buf_put_u64(&b, (uint64_t)counts_wall(e->hour_since));
        buf_put_u64(&b, (uint64_t)counts_wall(e->blocked));
        for (int i = 0; i < KNOWN; i++)
            buf_put_u64(&b, e->known[i]);
        if (!counts_put(out, e->node.hash, buf_str(&b)))
            break;
    }
    lock_drop(&guard.lock);
}

static void load(uint64_t key, struct cur *in)
{
    struct entry *e = find(key) ? NULL : make(key);
    if (!e)
        return;
    e->minute = cur_u32(in);
    e->hour = cur_u32(in);
    e->minute_since = counts_moment((int64_t)cur_u64(in));
    e->hour_since = counts_moment((int64_t)cur_u64(in));
    e->blocked = counts_moment((int64_t)cur_u64(in));
    for (int i = 0; i < KNOWN; i++)
        e->known[i] = cur_u64(in);
    list_push_front(&guard.age, &e->age); /* the newest come first */
}

void guard_keep(void)
{
    static const struct counts_owner owner = {'G', save, load};
    counts_register(&owner);
}
