/*
 * Sites: what is ready for one destination, in which order it leaves, and when the destination may be
 * tried. The order is site_next's alone: highest class first, tenants in turn, each first come first served.
 */
#include "base/text.h"
#include "rt/cells.h"
#include "queue/internal.h"

#include <stdlib.h>

enum {
    LOOK_MAX = 1000,      /* ready recipients counted to find out how many connections are worth while */
    CAP_MS = 60000,       /* a destination that refuses further connections is believed so long */
    SITES_IDLE = 20000,   /* sites kept only because they are closed */
    PROBE_MS = 72,        /* between attempts at closed destinations, all together, once there are many */
    TOGETHER_LEAST = 400, /* closed destinations from which on ... */
    TOGETHER_MS = 1000,   /* ... which are made so many at once that loops sleep for so long in between */
};

/* How long a destination that cannot be reached is left alone, by failures in a row; never longer than
 * queue.delays asks for. */
static const int64_t closed_ms[] = {30000, 60000, 120000, 300000, 600000, 900000};

/* With many closed each waits its turn, for an hour at most (RFC 5321 4.5.4.1 speaks of half an hour): an attempt
 * costs some questions to DNS and a connection, and so all together what they cost for some hundreds. */
static int64_t closed_for(const struct queue *q, uint32_t failures)
{
    enum { STEPS = sizeof closed_ms / sizeof *closed_ms, TURN_MOST_MS = 3600000 };
    int64_t ms = closed_ms[failures < STEPS ? failures : STEPS - 1];
    int64_t turn = (int64_t)cnt_get(&q->n.blocked) * PROBE_MS;
    size_t d = failures < q->conf.ndelays ? failures : q->conf.ndelays - 1;
    if (ms < turn)
        ms = turn < TURN_MOST_MS ? turn : TURN_MOST_MS;
    return ms < q->conf.delays[d] ? ms : q->conf.delays[d];
}

/* Attempts in company cost half of what they cost alone, each of which finds everything asleep and the caches cold. */
static int64_t in_company(const struct queue *q, int64_t ms)
{
    if (cnt_get(&q->n.blocked) < TOGETHER_LEAST)
        return ms;
    int64_t at = rt_now() / RT_MS + ms;
    return ms + (TOGETHER_MS - at % TOGETHER_MS) % TOGETHER_MS;
}

bool site_blocked(const struct site *s) { return s->blocked_until != 0; }

/* ---- the table ---- */

static bool number(struct queue *q, uint32_t *ret)
{
    if (q->site_free) {
        *ret = q->site_free;
        q->site_free = (uint32_t)(uintptr_t)q->site[*ret];
        return true;
    }
    if (q->nsite >= q->site_cap) {
        uint32_t cap = q->site_cap ? q->site_cap * 2 : 64;
        struct site **v = q->site_cap < UINT32_MAX / 2 ? realloc(q->site, cap * sizeof(struct site *)) : NULL;
        if (!v)
            return false;
        q->site = v;
        q->site_cap = cap;
    }
    if (!q->nsite)
        q->site[q->nsite++] = NULL;
    *ret = q->nsite++;
    return true;
}

static struct site *site_new(struct queue *q, str key, uint64_t hash)
{
    struct site *s = cell_take(sizeof *s + key.n);
    uint32_t all = (uint32_t)q->sites.n + 1;
    if (!s || !heap_reserve(&q->site_timers, all - q->site_timers.n) || !number(q, &s->id)) {
        cell_give(s, sizeof *s + key.n);
        return NULL;
    }
    if (!map_add(&q->sites, &s->node, hash)) {
        q->site[s->id] = (struct site *)(uintptr_t)q->site_free;
        q->site_free = s->id;
        cell_give(s, sizeof *s + key.n);
        return NULL;
    }
    q->site[s->id] = s;
    memcpy(s->key, key.n ? key.p : "", key.n);
    s->key_n = (uint16_t)key.n;
    list_init(&s->levels);
    list_init(&s->idle);
    list_init(&s->fresh);
    list_init(&s->starved);
    list_init(&s->level.link);
    list_init(&s->level.lanes);
    list_init(&s->lane.link);
    list_init(&s->lane.rcpts);
    s->lane.site = s;
    cnt_add(&q->n.sites, 1);
    return s;
}

uint32_t site_get(struct queue *q, str key, const struct site_limits *l)
{
    uint64_t hash = str_hash(key);
    struct map_node *n = map_find(&q->sites, hash);
    while (n &&
           !str_eq(str_mem(container_of(n, struct site, node)->key, container_of(n, struct site, node)->key_n), key))
        n = map_next_equal(n);
    struct site *s = n ? container_of(n, struct site, node) : site_new(q, key, hash);
    if (!s)
        return 0;
    s->limits = *l;
    s->limits.connections += !s->limits.connections;
    s->limits.recipients += !s->limits.recipients;
    s->nrcpt++;
    return s->id;
}

static void lane_free(struct queue *q, struct lane *l)
{
    list_remove(&l->link);
    l->linked = false;
    if (l == &l->site->lane)
        return;
    struct more_lane *x = container_of(l, struct more_lane, lane);
    map_remove(&q->lanes, &x->node);
    cell_give(x, sizeof *x);
}

static void level_free(struct site *s, struct level *v)
{
    list_remove(&v->link);
    if (v != &s->level)
        free(v);
}

static void site_free(struct queue *q, struct site *s)
{
    LIST_EACH(i, &s->levels)
    {
        struct level *v = container_of(i, struct level, link);
        LIST_EACH(j, &v->lanes)
        lane_free(q, container_of(j, struct lane, link));
        level_free(s, v);
    }
    LIST_EACH(i, &s->fresh)
    list_remove(i);
    if (site_blocked(s))
        cnt_add(&q->n.blocked, -1);
    heap_remove(&q->site_timers, &s->timer);
    list_remove(&s->starved);
    texts_drop(&q->texts, &s->error);
    map_remove(&q->sites, &s->node);
    q->site[s->id] = (struct site *)(uintptr_t)q->site_free;
    q->site_free = s->id;
    cnt_add(&q->n.sites, -1);
    cell_give(s, sizeof *s + s->key_n);
}

void site_tidy(struct queue *q, struct site *s)
{
    if (s->nrcpt || s->connections || (site_blocked(s) && q->sites.n < SITES_IDLE))
        return;
    site_free(q, s);
}

void site_unref(struct queue *q, uint32_t id)
{
    struct site *s = q->site[id];
    s->nrcpt--;
    site_tidy(q, s);
}

void sites_free(struct queue *q)
{
    struct map_iter it = map_begin(&q->sites);
    for (struct map_node *n; (n = map_each(&it));)
        site_free(q, container_of(n, struct site, node));
    map_free(&q->sites);
    map_free(&q->lanes);
    heap_free(&q->site_timers);
    free(q->site);
}

/* ---- what is ready ---- */

static struct level *level_get(struct site *s, uint8_t class)
{
    struct list *at = s->levels.next;
    while (at != &s->levels && container_of(at, struct level, link)->class > class)
        at = at->next;
    if (at != &s->levels && container_of(at, struct level, link)->class == class)
        return container_of(at, struct level, link);
    struct level *v = list_empty(&s->level.link) ? &s->level : malloc(sizeof *v);
    if (!v)
        return NULL;
    *v = (struct level){.class = class};
    list_init(&v->lanes);
    list_insert_before(at, &v->link);
    return v;
}

static uint64_t lane_hash(const struct site *s, uint8_t class, uint32_t tenant)
{
    uint64_t h = ((uint64_t)s->id << 32 | tenant) * 0x9e3779b97f4a7c15u + class;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static struct lane *lane_new(struct queue *q, struct site *s, uint64_t hash)
{
    if (!s->lane.linked)
        return &s->lane;
    struct more_lane *x = cell_take(sizeof *x);
    if (!x)
        return NULL;
    x->lane.site = s;
    list_init(&x->lane.link);
    list_init(&x->lane.rcpts);
    if (map_add(&q->lanes, &x->node, hash))
        return &x->lane;
    cell_give(x, sizeof *x);
    return NULL;
}

static bool lane_is(const struct lane *l, const struct site *s, uint8_t class, uint32_t tenant)
{
    return l->linked && l->site == s && l->class == class && l->tenant == tenant;
}

static struct lane *lane_get(struct queue *q, struct site *s, uint8_t class, uint32_t tenant)
{
    if (lane_is(&s->lane, s, class, tenant))
        return &s->lane;
    uint64_t hash = lane_hash(s, class, tenant);
    for (struct map_node *n = map_find(&q->lanes, hash); n; n = map_next_equal(n)) {
        struct more_lane *x = container_of(n, struct more_lane, node);
        if (lane_is(&x->lane, s, class, tenant))
            return &x->lane;
    }
    struct level *v = level_get(s, class);
    if (!v && !s->lane.linked)
        v = container_of(s->levels.next, struct level, link);
    struct lane *l = v ? lane_new(q, s, hash) : NULL;
    if (!l)
        return &s->lane; /* without memory: in one with others */
    l->class = v->class;
    l->tenant = tenant;
    l->linked = true;
    list_push_back(&v->lanes, &l->link);
    return l;
}

void site_push(struct queue *q, struct rcpt *r, bool front)
{
    const struct msg *m = msg_of(r);
    struct lane *l = lane_get(q, q->site[r->site], m->class, m->tenant);
    if (front)
        list_push_front(&l->rcpts, &r->link);
    else
        list_push_back(&l->rcpts, &r->link);
}

void site_take_out(struct rcpt *r) { list_remove(&r->link); }

struct rcpt *site_next(struct queue *q, struct site *s)
{
    LIST_EACH(i, &s->levels)
    {
        struct level *v = container_of(i, struct level, link);
        LIST_EACH(j, &v->lanes)
        {
            struct lane *l = container_of(j, struct lane, link);
            if (list_empty(&l->rcpts)) {
                lane_free(q, l);
                continue;
            }
            list_remove(&l->link);
            list_push_back(&v->lanes, &l->link);
            return container_of(l->rcpts.next, struct rcpt, link);
        }
        level_free(s, v);
    }
    return NULL;
}

static uint32_t lane_tickets(const struct lane *l, uint32_t enough, uint32_t *looked)
{
    uint32_t n = 0;
    const struct msg *last = NULL;
    LIST_EACH(i, &l->rcpts)
    {
        struct msg *m = msg_of(container_of(i, struct rcpt, link));
        n += m != last;
        last = m;
        if (n > enough || ++*looked > LOOK_MAX)
            break;
    }
    return n;
}

/* How many messages are ready, about; once it is more than `enough`, how many more does not matter. */
uint32_t site_tickets(const struct site *s, uint32_t enough)
{
    uint32_t n = 0, looked = 0;
    LIST_EACH(i, &s->levels)
    LIST_EACH(j, &container_of(i, struct level, link)->lanes)
    {
        if (n > enough || looked > LOOK_MAX)
            return n;
        n += lane_tickets(container_of(j, struct lane, link), enough - n, &looked);
    }
    return n;
}

/* ---- closed and open ---- */

void site_wake_at(struct queue *q, struct site *s, rt_time at)
{
    if (!heap_has(&s->timer))
        heap_push(&q->site_timers, &s->timer, at);
    else if (at < s->timer.key)
        heap_move(&q->site_timers, &s->timer, at);
}

static void tell(const struct queue *q, const struct site *s, int64_t ms)
{
    char mem[64];
    struct buf until;
    buf_init_fixed(&until, mem, sizeof mem);
    text_time(&until, rt_wall_ms() + ms);
    rt_log(EV_site_down, log_str(str_mem(s->key, s->key_n)), log_str(texts_str(&q->texts, s->error)),
           log_str(buf_str(&until)));
}

void site_block(struct queue *q, struct site *s, int64_t ms, str why)
{
    if (!site_blocked(s)) {
        cnt_add(&q->n.blocked, 1);
        cnt_add(&q->n.kept_back, s->n[R_READY]);
    }
    s->blocked_until = rt_now() + ms * RT_MS;
    s->proven = false;
    texts_drop(&q->texts, &s->error);
    s->error = texts_get(&q->texts, why);
    LIST_EACH(i, &s->fresh)
    body_forget(q, container_of(i, struct extra, at_site)->m);
    site_wake_at(q, s, s->blocked_until);
    tell(q, s, ms);
}

void site_open(struct queue *q, struct site *s)
{
    if (!site_blocked(s))
        return;
    s->blocked_until = 0;
    cnt_add(&q->n.blocked, -1);
    cnt_add(&q->n.kept_back, -(int64_t)s->n[R_READY]);
}

/* A connection to it that has delivered is still open. */
bool site_works(const struct queue *q, const struct site *s)
{
    LIST_EACH(i, &q->leases)
    {
        const struct lease *l = container_of(i, struct lease, all);
        if (l->site == s && l->worked)
            return true;
    }
    return false;
}

/*
 * A connection failed that had delivered nothing. When others to the same place work, the place only
 * wants no more of them; else it is closed, once for all that fail together.
 */
void site_failed(struct queue *q, struct site *s, str why)
{
    if (s->connections && site_works(q, s)) {
        s->cap = s->connections;
        s->cap_until = rt_now() + CAP_MS * RT_MS;
        site_wake_at(q, s, s->cap_until);
        return;
    }
    if (site_blocked(s))
        return;
    int64_t ms = closed_for(q, s->failures);
    s->failures++;
    site_block(q, s, in_company(q, with_jitter(ms)), why);
}

void site_timer(struct queue *q, struct site *s)
{
    rt_time now = rt_now();
    if (site_blocked(s) && now >= s->blocked_until)
        site_open(q, s);
    if (s->cap && now >= s->cap_until)
        s->cap = 0;
    if (site_blocked(s))
        site_wake_at(q, s, s->blocked_until);
    if (s->cap)
        site_wake_at(q, s, s->cap_until);
    site_pump(q, s);
    site_tidy(q, s);
}
