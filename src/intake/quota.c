/*
 * Counting what names send: in windows of a minute, an hour and a day that begin with the first message in them. One
 * table over all loops; a name that sent nothing for a day may leave it. The counts outlive the process (db/counts.h).
 */
#include "intake/submit.h"
#include "base/map.h"
#include "base/text.h"
#include "db/counts.h"

#include <stdlib.h>

enum { NAMES_MAX = 200000, NETWORKS = 32, USUAL_HOURS = 3 };
static const rt_time spans[3] = {60 * RT_S, 3600 * RT_S, 86400 * RT_S};
static const char *const units[3] = {"a minute", "an hour", "a day"};

struct counter {
    struct map_node node;
    struct list age;
    rt_time since[3];
    uint32_t n[2][3]; /* by enum quota_what and window */
    uint32_t usual;   /* most messages of an earlier hour */
    uint32_t hours;   /* earlier hours with messages */
    uint32_t unknown;
    rt_time unknown_since;
    struct {
        uint64_t net;
        rt_time at;
    } nets[NETWORKS];
};

static struct {
    struct lock lock;
    struct map map;
    struct list age;
} table = {.age = LIST_INIT(table.age)};

static struct counter *make(uint64_t key)
{
    if (table.map.n >= NAMES_MAX) {
        struct counter *old = container_of(table.age.next, struct counter, age);
        list_remove(&old->age);
        map_remove(&table.map, &old->node);
        free(old);
    }
    struct counter *c = calloc(1, sizeof *c);
    if (!c || !map_add(&table.map, &c->node, key)) {
        free(c);
        return NULL;
    }
    list_init(&c->age);
    return c;
}

/* Under the lock. NULL without memory. The first letters of scopes differ. */
static struct counter *get(const char *scope, str name, rt_time now)
{
    uint64_t key = counts_hash(scope[0], name);
    struct map_node *m = map_find(&table.map, key);
    struct counter *c = m ? container_of(m, struct counter, node) : make(key);
    if (!c)
        return NULL;
    if (!m)
        c->since[0] = c->since[1] = c->since[2] = now;
    list_remove(&c->age);
    list_push_back(&table.age, &c->age);
    for (int i = 0; i < 3; i++)
        if (now - c->since[i] >= spans[i]) {
            if (i == 1 && c->n[QUOTA_MESSAGES][1]) {
                c->hours++;
                if (c->usual < c->n[QUOTA_MESSAGES][1])
                    c->usual = c->n[QUOTA_MESSAGES][1];
            }
            c->since[i] = now;
            c->n[0][i] = c->n[1][i] = 0;
        }
    return c;
}

static void say(struct reply *r, const struct quota_ask *q, enum quota_what what, int window, rt_time left)
{
    char mem[40];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    text_age(&b, left / RT_S + 1);
    reply_set(r, 450, "4.7.1", "Limit of %u %s %s for %s " STR_FMT " is reached, try again in " STR_FMT,
              q->rate[what].most[window], what == QUOTA_MESSAGES ? "messages" : "recipients", units[window], q->scope,
              STR_ARG(str_sub(q->name, 0, 300)), STR_ARG(buf_str(&b)));
}

static bool fits(const struct quota_ask *q, enum quota_what what, uint32_t more, struct reply *r)
{
    rt_time now = rt_now();
    struct counter *c =
        q->rate[what].most[0] || q->rate[what].most[1] || q->rate[what].most[2] ? get(q->scope, q->name, now) : NULL;
    for (int i = 0; c && i < 3; i++)
        if (q->rate[what].most[i] && c->n[what][i] + more > q->rate[what].most[i]) {
            say(r, q, what, i, spans[i] - (now - c->since[i]));
            return false;
        }
    return true;
}

bool quota_room(const struct quota_ask *v, size_t n, enum quota_what what, uint32_t more, struct reply *r)
{
    bool ok = true;
    lock_take(&table.lock);
    for (size_t i = 0; i < n && ok; i++)
        ok = fits(&v[i], what, more, r);
    lock_drop(&table.lock);
    return ok;
}

bool quota_take(const struct quota_ask *v, size_t n, uint32_t recipients, struct reply *r)
{
    bool ok = true;
    lock_take(&table.lock);
    for (size_t i = 0; i < n && ok; i++)
        ok = fits(&v[i], QUOTA_MESSAGES, 1, r) && fits(&v[i], QUOTA_RECIPIENTS, recipients, r);
    for (size_t i = 0; i < n && ok; i++) {
        struct counter *c = get(v[i].scope, v[i].name, rt_now());
        for (int k = 0; c && k < 3; k++) {
            c->n[QUOTA_MESSAGES][k]++;
            c->n[QUOTA_RECIPIENTS][k] += recipients;
        }
    }
    lock_drop(&table.lock);
    return ok;
}

/* ---- signs of a stolen account ---- */

bool quota_seen(str account, const struct ip *from, uint32_t most, uint32_t *ret)
{
    struct ip net = ip_mask(from, from->v == 6 ? 32 : 16);
    uint64_t hash = counts_hash('n', str_mem(&net, sizeof net));
    rt_time now = rt_now();
    uint32_t n = 0;
    lock_take(&table.lock);
    struct counter *c = get("account", account, now);
    int place = 0;
    for (int i = 0; c && i < NETWORKS; i++) {
        if (c->nets[i].net == hash) {
            place = i;
            break;
        }
        if (c->nets[i].at < c->nets[place].at)
            place = i;
    }
    if (c) {
        c->nets[place].net = hash;
        c->nets[place].at = now;
    }
    for (int i = 0; c && i < NETWORKS; i++)
        n += c->nets[i].net && now - c->nets[i].at < spans[1];
    if (c && most && n >= most) /* told once */
        memset(c->nets, 0, sizeof c->nets);
    lock_drop(&table.lock);
    *ret = n;
    return most && n >= most;
}

bool quota_unknown(str account, uint32_t most)
{
    bool over = false;
    rt_time now = rt_now();
    lock_take(&table.lock);
    struct counter *c = get("account", account, now);
    if (c && now - c->unknown_since >= spans[1]) {
        c->unknown_since = now;
        c->unknown = 0;
    }
    if (c && most && ++c->unknown >= most) {
        over = true;
        c->unknown = 0;
    }
    lock_drop(&table.lock);
    return over;
}

bool quota_sudden(str account, uint32_t most, uint32_t *ret_now, uint32_t *ret_usual)
{
    bool over = false;
    lock_take(&table.lock);
    struct counter *c = get("account", account, rt_now());
    if (c && most && c->hours >= USUAL_HOURS) {
        *ret_now = c->n[QUOTA_MESSAGES][1];
        *ret_usual = c->usual;
        over = *ret_now >= most && *ret_now / 10 >= *ret_usual;
    }
    lock_drop(&table.lock);
    return over;
}

/* ---- what outlives the process ---- */

static bool worth_keeping(const struct counter *c)
{
    return c->n[QUOTA_MESSAGES][2] || c->n[QUOTA_RECIPIENTS][2] || c->hours || c->unknown || c->nets[0].net;
}

static void put(struct buf *b, const struct counter *c)
{
    for (int i = 0; i < 3; i++) {
        buf_put_u64(b, (uint64_t)counts_wall(c->since[i]));
        buf_put_u32(b, c->n[QUOTA_MESSAGES][i]);
        buf_put_u32(b, c->n[QUOTA_RECIPIENTS][i]);
    }
    buf_put_u32(b, c->usual);
    buf_put_u32(b, c->hours);
    buf_put_u32(b, c->unknown);
    buf_put_u64(b, (uint64_t)counts_wall(c->unknown_since));
    for (int i = 0; i < NETWORKS && c->nets[i].net; i++) {
        buf_put_u64(b, c->nets[i].net);
        buf_put_u64(b, (uint64_t)counts_wall(c->nets[i].at));
    }
}

static void save(struct counts_out *out)
{
    lock_take(&table.lock);
    int looks = 2 * COUNTS_RECORDS_MAX; /* a few ms at most */
    for (struct list *l = table.age.prev; l != &table.age && looks; l = l->prev, looks--) {
        const struct counter *c = container_of(l, struct counter, age);
        char mem[COUNTS_NUMBERS_MAX];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        if (!worth_keeping(c))
            continue;
        put(&b, c);
        if (!counts_put(out, c->node.hash, buf_str(&b)))
            break;
    }
    lock_drop(&table.lock);
}

/* The newest come first, and get the last place in the list of age. */
static void load(uint64_t key, struct cur *in)
{
    struct counter *c = map_find(&table.map, key) ? NULL : make(key);
    if (!c)
        return;
    for (int i = 0; i < 3; i++) {
        c->since[i] = counts_moment((int64_t)cur_u64(in));
        c->n[QUOTA_MESSAGES][i] = cur_u32(in);
        c->n[QUOTA_RECIPIENTS][i] = cur_u32(in);
    }
    c->usual = cur_u32(in);
    c->hours = cur_u32(in);
    c->unknown = cur_u32(in);
    c->unknown_since = counts_moment((int64_t)cur_u64(in));
    for (int i = 0; i < NETWORKS && in->n; i++) {
        c->nets[i].net = cur_u64(in);
        c->nets[i].at = counts_moment((int64_t)cur_u64(in));
    }
    list_push_front(&table.age, &c->age);
}

void quota_keep(void)
{
    static const struct counts_owner owner = {'Q', save, load};
    counts_register(&owner);
}
