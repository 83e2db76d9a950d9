/*
 * For tests: the world around the queue, in one thread and on a clock that the test moves. It takes the
 * place of rt and of the spool at link time; what the queue asks of them is carried out by world_run, and
 * what it wrote is kept in `recs`.
 */
#ifndef QUEUE_WORLD_H
#define QUEUE_WORLD_H
#include "base/test.h"
#include "queue/internal.h"

#include <stdlib.h>

struct rec {
    char kind; /* 'R' result, 'S' schedule, 'E' end */
    uint64_t id;
    uint32_t rcpt;
    uint8_t outcome;
    uint16_t attempts;
    bool held, lazy;
    int64_t next_ms;
};
struct fake_group {
    struct fake_group *next;
    struct spool_group *g;
    struct rec *v;
    size_t n;
};
struct body {
    int refs;
    uint64_t size;
};
struct shown { /* a call of ops->report */
    uint64_t id;
    uint32_t n;
    uint8_t outcome[64];
    uint32_t index[64];
    char reply[64][100];
    bool delayed, last, mem;
    rt_time at;
};

static struct {
    rt_time now;
    int64_t wall; /* at now == 0 */
    struct post *first, **last;
    struct timer *timer;
    rt_time timer_at;
    struct {
        void (*fn)(void *);
        void *arg;
    } fibers[64];
    int nfibers;
    struct fake_group *open, *sent;
    err disk, report, site_full;
    bool recording, start_fails;
    volatile bool failing; /* allocations fail now and then, where the test provides for it; never those of the world */
    struct rec *recs;
    size_t nrecs, groups, timers;
    struct shown shown[64];
    int nshown;
    struct lease *leases[4096];
    int nleases;
    struct site_limits limits;
    struct conf conf;
    int64_t delays[8];
    int64_t metrics[METRIC_COUNT];
    int events[EVENT_COUNT];
    struct queue *q;
    uint64_t seed, id;
} w;

/* ---- rt ---- */

rt_time rt_now(void) { return w.now; }
rt_time rt_now_fresh(void) { return w.now; }
int64_t rt_wall_ms(void) { return w.wall + w.now / RT_MS; }
uint64_t rt_random_below(uint64_t n)
{
    w.seed = w.seed * 6364136223846793005u + 1442695040888963407u;
    return (w.seed >> 33) % n;
}
int rt_nloops(void) { return 2; }
struct loop *rt_loop(int i) { return (struct loop *)(uintptr_t)(i + 1); }
void rt_post(struct loop *to, struct post *p)
{
    (void)to;
    p->next = NULL;
    *w.last = p;
    w.last = &p->next;
}
void timer_set(struct timer *t, rt_time at)
{
    w.timer = t;
    w.timer_at = at;
    w.timers++;
}
void timer_stop(struct timer *t)
{
    (void)t;
    w.timer_at = RT_NEVER;
}
struct fiber *fiber_spawn(void (*fn)(void *), void *arg, const char *name)
{
    (void)name;
    if (w.nfibers == 64)
        return NULL;
    w.fibers[w.nfibers].fn = fn;
    w.fibers[w.nfibers++].arg = arg;
    return (struct fiber *)&w;
}
struct fiber *fiber_self(void) { return (struct fiber *)&w; }
void fiber_wake(struct fiber *f) { (void)f; }
void fiber_shield(bool on) { (void)on; }
struct loop *rt_self(void) { return rt_loop(0); }
static bool world_posts(void)
{
    bool any = w.first != NULL;
    for (struct post *p; (p = w.first);) {
        if (!(w.first = p->next))
            w.last = &w.first;
        p->run(p);
    }
    return any;
}
err fiber_park(rt_time until)
{
    (void)until;
    return world_posts() ? OK : E_TIMEOUT;
}
err fiber_sleep(rt_time until) { return (void)until, E_CANCELLED; }
void lock_take(struct lock *l) { l->word++; }
void lock_drop(struct lock *l) { l->word--; }
void cond_init(struct cond *c) { (void)c; }
void cond_wake_all(struct cond *c) { (void)c; }
err cond_wait(struct cond *c, rt_time deadline)
{
    (void)c;
    return fiber_park(deadline);
}
void metric_add(enum metric m, int64_t by) { w.metrics[m] += by; }
int64_t metric_read(enum metric m) { return w.metrics[m]; }
void rt_log_fields(enum event ev, const struct log_field *v, size_t n)
{
    (void)v;
    (void)n;
    w.events[ev]++;
}

/* ---- spool ---- */

static struct body *body_make(uint64_t size)
{
    struct body *b = malloc(sizeof *b);
    *b = (struct body){1, size};
    w.metrics[M_body_bytes] += (int64_t)size;
    return b;
}
struct body *body_ref(struct body *b)
{
    b->refs++;
    return b;
}
void body_drop(struct body **b)
{
    if (*b && !--(*b)->refs) {
        w.metrics[M_body_bytes] -= (int64_t)(*b)->size;
        free(*b);
    }
    *b = NULL;
}
uint64_t body_size(const struct body *b) { return b->size; }

static struct fake_group *fake_of(struct spool_group *g)
{
    struct fake_group *f = w.open;
    while (f && f->g != g)
        f = f->next;
    assert_non_null(f);
    return f;
}
static void rec_add(struct spool_group *g, struct rec r)
{
    struct fake_group *f = fake_of(g);
    if (!w.recording)
        return;
    bool failing = w.failing;
    w.failing = false;
    if (!(f->n & (f->n + 1)))
        f->v = realloc(f->v, (2 * f->n + 1) * sizeof *f->v);
    r.lazy = g->lazy;
    f->v[f->n++] = r;
    w.failing = failing;
}
void spool_group_init(struct spool_group *g)
{
    bool failing = w.failing;
    w.failing = false;
    struct fake_group *f = calloc(1, sizeof *f);
    w.failing = failing;
    *g = (struct spool_group){0};
    f->g = g;
    f->next = w.open;
    w.open = f;
}
void spool_group_free(struct spool_group *g)
{
    struct fake_group **at = &w.open;
    while (*at && (*at)->g != g)
        at = &(*at)->next;
    struct fake_group *f = *at;
    if (!f)
        return;
    *at = f->next;
    free(f->v);
    free(f);
}
err spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n)
{
    if (w.failing && rt_random_below(20) == 0)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        rec_add(g, (struct rec){.kind = 'R', .id = id, .rcpt = r[i].rcpt, .outcome = r[i].outcome});
    return OK;
}
err spool_group_retries(struct spool_group *g, uint64_t id, const struct retry *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rec_add(g, (struct rec){.kind = 'S',
                                .id = id,
                                .rcpt = r[i].rcpt,
                                .attempts = r[i].attempts,
                                .held = r[i].held,
                                .next_ms = r[i].next_ms});
    return OK;
}
err spool_group_end(struct spool_group *g, uint64_t id)
{
    rec_add(g, (struct rec){.kind = 'E', .id = id});
    return OK;
}
void spool_send(struct spool *s, struct spool_group *g)
{
    (void)s;
    struct fake_group *f = fake_of(g);
    g->e = w.disk;
    w.groups++;
    bool failing = w.failing;
    w.failing = false;
    for (size_t i = 0; i < f->n && !g->e; i++) {
        if (!(w.nrecs & (w.nrecs + 1)))
            w.recs = realloc(w.recs, (2 * w.nrecs + 1) * sizeof *w.recs);
        f->v[i].lazy = g->lazy;
        w.recs[w.nrecs++] = f->v[i];
    }
    w.failing = failing;
    rt_post(NULL, &g->done);
}

/* ---- the rooms above ---- */

static void ops_site(void *arg, bool lax, str way, str sender, str address, struct buf *key, struct site_limits *l)
{
    (void)arg;
    (void)lax;
    (void)way;
    (void)sender;
    buf_add_c(key, "mx ");
    buf_add(key, str_skip(address, str_rfind(address, '@') + 1));
    *l = w.limits;
}
static bool ops_start(void *arg, struct lease *l)
{
    (void)arg;
    if (w.start_fails || w.nleases == 4096)
        return false;
    w.leases[w.nleases++] = l;
    return true;
}
static err ops_report(void *arg, const struct report *r)
{
    (void)arg;
    if (w.report)
        return w.report;
    assert_true(w.nshown < 64 && r->nto <= 64);
    struct shown *s = &w.shown[w.nshown++];
    *s = (struct shown){.id = r->id, .n = r->nto, .delayed = r->delayed, .last = r->last, .mem = r->mem, .at = w.now};
    for (uint32_t i = 0; i < r->nto; i++) {
        s->index[i] = r->to[i].index;
        s->outcome[i] = r->to[i].outcome;
        snprintf(s->reply[i], sizeof s->reply[i], STR_FMT, STR_ARG(r->to[i].reply));
    }
    return OK;
}

/* ---- driving ---- */

static void world_run(void)
{
    while (world_posts() || w.nfibers) {
        int n = w.nfibers;
        for (int i = 0; i < n; i++)
            w.fibers[i].fn(w.fibers[i].arg);
        memmove(w.fibers, w.fibers + n, (size_t)(w.nfibers - n) * sizeof *w.fibers);
        w.nfibers -= n;
    }
}

static void world_advance(int64_t ms)
{
    rt_time until = w.now + ms * RT_MS;
    world_run();
    while (w.timer_at <= until) {
        if (w.now < w.timer_at)
            w.now = w.timer_at;
        w.timer_at = RT_NEVER;
        w.timer->fn(w.timer);
        world_run();
    }
    w.now = until;
}

static void world_new(void)
{
    memset(&w, 0, sizeof w);
    w.last = &w.first;
    w.now = 5 * RT_S;
    w.wall = 1800000000000;
    w.timer_at = RT_NEVER;
    w.recording = true;
    w.seed = 1;
    w.id = 1000;
    w.limits = (struct site_limits){20, 1000, 100, 0};
    w.delays[0] = 300 * RT_S;
    w.delays[1] = 600 * RT_S;
    w.delays[2] = 1200 * RT_S;
    w.conf.queue_delays = (struct conf_times){w.delays, 3};
    w.conf.queue_delay_notice = 4 * 3600 * RT_S;
    w.conf.queue_connections_all = 1000;
    w.conf.queue_max_recipients = 10000000;
    w.conf.body_memory = 1 << 20;
    struct queue_ops ops = {.site = ops_site, .start = ops_start, .report = ops_report};
    assert_int_equal(queue_new(&w.q, &ops), OK);
}

static void world_start(void)
{
    queue_start(w.q, NULL, &w.conf);
    world_run();
}

static void world_free(void)
{
    world_run();
    queue_free(&w.q);
    while (w.open)
        spool_group_free(w.open->g);
    free(w.recs);
    assert_int_equal(w.metrics[M_body_bytes], 0);
}

/* A message to the addresses in `to`, separated by blanks. */
static uint64_t bring(const char *to, uint32_t tenant, uint8_t class, int64_t life_ms, uint8_t notify)
{
    struct recipient v[64];
    struct envelope e = {.id = ++w.id,
                         .arrived_ms = rt_wall_ms(),
                         .expires_ms = rt_wall_ms() + life_ms,
                         .tenant = tenant,
                         .class = class,
                         .head_size = 300,
                         .body_size = 700,
                         .sender = S("from@here.test"),
                         .to = v};
    str rest = str_c(to), one;
    while (str_cut(&rest, ' ', &one))
        v[e.nto++] = (struct recipient){.address = one, .notify = notify};
    struct body *b = body_make(1000);
    assert_int_equal(queue_accept(w.q, &e, b), OK);
    body_drop(&b);
    return e.id;
}
static uint64_t bring1(const char *to) { return bring(to, 0, 0, 5 * 86400000ll, 0); }

/* The i-th lease's next tickets. */
static size_t take(struct lease *l, struct ticket **out, size_t max)
{
    size_t n = queue_take(l, out, max, w.now + 1);
    world_run();
    return n;
}
static void give(struct lease *l, struct ticket *t, enum fate f, const char *reply)
{
    for (uint32_t i = 0; i < t->nto; i++) {
        t->to[i].fate = (uint8_t)f;
        t->to[i].reply = str_c(reply);
        t->to[i].remote = S("mx.there.test");
    }
    queue_done(l, t);
    world_run();
}
static void finish_lease(struct lease *l, err down, const char *why)
{
    queue_end(l, down, str_c(why));
    for (int i = 0; i < w.nleases; i++)
        if (w.leases[i] == l)
            w.leases[i] = w.leases[--w.nleases];
    world_run();
}
/* Fills in every fate with f until nothing is ready and no lease is left. */
static int drain(enum fate f)
{
    int n = 0;
    while (w.nleases)
        for (int i = 0; i < w.nleases; i++) {
            struct ticket *t[16];
            size_t k = take(w.leases[i], t, 16);
            n += (int)k;
            for (size_t j = 0; j < k; j++)
                give(w.leases[i], t[j], f, "250 ok");
            if (!k)
                finish_lease(w.leases[i], OK, NULL);
        }
    return n;
}
static int count(char kind, uint64_t id)
{
    int n = 0;
    for (size_t i = 0; i < w.nrecs; i++)
        n += w.recs[i].kind == kind && (!id || w.recs[i].id == id);
    return n;
}

#endif
