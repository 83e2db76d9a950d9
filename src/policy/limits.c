/* Sliding windows: two counters each, as many octets for one who comes once as for one who comes a thousand times. */
#include "policy/limits.h"
#include "base/map.h"
#include "base/text.h"

#include <stdlib.h>

static const rt_time spans[LIMIT_WINDOWS] = {60 * RT_S, 3600 * RT_S, 86400 * RT_S};
static const char *const units[LIMIT_WINDOWS] = {"a minute", "an hour", "a day"};

struct counter {
    struct map_node node;
    struct list age;
    uint32_t inside; /* at once */
    struct {
        rt_time since;
        uint32_t now, before;
    } w[LIMIT_WINDOWS];
};

static struct {
    struct lock lock;
    struct map map;
    struct list age;
} table = {.age = LIST_INIT(table.age)};

static uint64_t key_of(const struct limit *l)
{
    return (str_ihash(l->key) ^ str_hash(l->scope) * 0x9e3779b97f4a7c15u) | 1;
}

static struct counter *find(uint64_t key)
{
    struct map_node *n = map_find(&table.map, key);
    return n ? container_of(n, struct counter, node) : NULL;
}

/* The oldest that nobody is in; a few are looked at. */
static void make_room(void)
{
    int looks = 16;
    LIST_EACH(it, &table.age)
    {
        struct counter *c = container_of(it, struct counter, age);
        if (!c->inside) {
            list_remove(&c->age);
            map_remove(&table.map, &c->node);
            free(c);
            return;
        }
        if (!--looks)
            return;
    }
}

static struct counter *get(const struct limit *l, rt_time now)
{
    uint64_t key = key_of(l);
    struct counter *c = find(key);
    if (!c) {
        if (table.map.n >= l->entries)
            make_room();
        c = table.map.n < l->entries ? calloc(1, sizeof *c) : NULL;
        if (!c)
            return NULL;
        list_init(&c->age);
        for (int i = 0; i < LIMIT_WINDOWS; i++)
            c->w[i].since = now;
        if (!map_add(&table.map, &c->node, key)) {
            free(c);
            return NULL;
        }
    }
    list_remove(&c->age);
    list_push_back(&table.age, &c->age);
    return c;
}

static void slide(struct counter *c, int i, rt_time now)
{
    rt_time age = now - c->w[i].since;
    if (age < spans[i])
        return;
    c->w[i].before = age < 2 * spans[i] ? c->w[i].now : 0;
    c->w[i].now = 0;
    c->w[i].since = age < 2 * spans[i] ? c->w[i].since + spans[i] : now;
}

/* What the window that ends now holds, rounded down. */
static uint64_t level(const struct counter *c, int i, rt_time now)
{
    rt_time left = spans[i] - (now - c->w[i].since);
    return c->w[i].now + (uint64_t)c->w[i].before * (uint64_t)(left / RT_MS) / (uint64_t)(spans[i] / RT_MS);
}

/* When the level has sunk below `most`. */
static rt_time wait_of(const struct counter *c, int i, uint32_t most, rt_time now)
{
    rt_time end = spans[i] - (now - c->w[i].since);
    uint32_t last = c->w[i].now >= most ? c->w[i].now : c->w[i].before; /* what has to fade */
    uint32_t other = c->w[i].now >= most ? 0 : c->w[i].now;
    /* last * part / span + other < most */
    rt_time part = last ? (rt_time)((double)spans[i] * (double)(most - (other < most ? other : most)) / last) : 0;
    rt_time fade = spans[i] - (part < spans[i] ? part : spans[i]);
    if (c->w[i].now >= most)
        return end + fade;
    return end > part ? end - part : 0;
}

static bool fits(struct counter *c, const struct limit *l, rt_time now, struct limit_hit *ret)
{
    if (l->at_once && c->inside >= l->at_once) {
        *ret = (struct limit_hit){l->at_once, -1, 0};
        return false;
    }
    for (int i = 0; i < LIMIT_WINDOWS; i++) {
        slide(c, i, now);
        if (l->most[i] && level(c, i, now) >= l->most[i]) {
            *ret = (struct limit_hit){l->most[i], i, wait_of(c, i, l->most[i], now)};
            return false;
        }
    }
    return true;
}

bool limit_enter(const struct limit *l, uint64_t *ret_ticket, struct limit_hit *ret)
{
    rt_time now = rt_now();
    *ret_ticket = 0;
    lock_take(&table.lock);
    struct counter *c = get(l, now);
    bool ok = !c || fits(c, l, now, ret);
    if (c && ok) {
        for (int i = 0; i < LIMIT_WINDOWS; i++)
            c->w[i].now++;
        if (l->at_once) {
            c->inside++;
            *ret_ticket = c->node.hash;
        }
    }
    lock_drop(&table.lock);
    if (!ok)
        metric_add(M_limits_reached, 1);
    return ok;
}

void limit_leave(uint64_t ticket)
{
    if (!ticket)
        return;
    lock_take(&table.lock);
    struct counter *c = find(ticket);
    if (c && c->inside)
        c->inside--;
    lock_drop(&table.lock);
}

void limit_say(struct buf *out, const struct limit_hit *h, str what, str key)
{
    buf_printf(out, "Limit of %u %s for " STR_FMT " " STR_FMT " is reached", h->most,
               h->window < 0 ? "at once" : units[h->window], STR_ARG(what), STR_ARG(str_sub(key, 0, 200)));
    if (h->window < 0) {
        buf_add_c(out, ", try again later");
        return;
    }
    buf_add_c(out, ", try again in ");
    text_age(out, h->wait / RT_S + 1);
}

size_t limit_count(void)
{
    lock_take(&table.lock);
    size_t n = table.map.n;
    lock_drop(&table.lock);
    return n;
}
