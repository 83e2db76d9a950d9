/*
 * The queue on real loops: producers and connections on several threads, attempts that end in every way,
 * connections that end at any moment. Every message must end exactly once and be attempted by one at a time.
 */
#include "base/test.h"
#include "queue/internal.h"

#include <stdlib.h>

enum { LOOPS = 3, EACH = 4000, SITES = 7, ALL = LOOPS * EACH };

struct body {
    atomic_int refs;
};
static struct queue *q;
static struct conf conf;
static int64_t delays[] = {20 * RT_MS, 30 * RT_MS};
static atomic_int ended[ALL + 1], out[2 * ALL + 2], recorded[ALL + 1];
static atomic_int left_to_end, bodies, leases, failures;
static struct fiber *watcher;

/* ---- in the place of the spool ---- */

struct body *body_ref(struct body *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}
void body_drop(struct body **b)
{
    if (*b && atomic_fetch_sub(&(*b)->refs, 1) == 1) {
        atomic_fetch_sub(&bodies, 1);
        free(*b);
    }
    *b = NULL;
}
uint64_t body_size(const struct body *b)
{
    (void)b;
    return 1000;
}
void spool_group_init(struct spool_group *g) { memset(g, 0, sizeof *g); }
void spool_group_free(struct spool_group *g) { (void)g; }
err spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n)
{
    (void)g;
    (void)r;
    atomic_fetch_add(&recorded[id], (int)n);
    return OK;
}
err spool_group_retries(struct spool_group *g, uint64_t id, const struct retry *r, size_t n)
{
    (void)g;
    (void)id;
    (void)r;
    (void)n;
    return OK;
}
err spool_group_end(struct spool_group *g, uint64_t id)
{
    (void)g;
    atomic_fetch_add(&ended[id], 1);
    atomic_fetch_sub(&left_to_end, 1);
    return OK;
}
void spool_send(struct spool *s, struct spool_group *g)
{
    (void)s;
    g->e = OK;
    rt_post(rt_self(), &g->done);
}

/* ---- in the place of send ---- */

static void ops_site(void *arg, bool lax, str way, str sender, str address, struct buf *key, struct site_limits *l)
{
    (void)arg;
    (void)lax;
    (void)way;
    (void)sender;
    buf_add(key, str_skip(address, str_rfind(address, '@') + 1));
    *l = (struct site_limits){5, 200, 3, 0};
}

static void attempt(struct lease *l, struct ticket *t, bool tell)
{
    for (uint32_t i = 0; i < t->nto; i++)
        if (atomic_fetch_add(&out[2 * t->id + t->to[i].index], 1))
            atomic_fetch_add(&failures, 1); /* two have it at once */
    if (rt_random_below(50) == 0)
        fiber_sleep(rt_now() + 2 * RT_MS);
    unsigned dice = (unsigned)rt_random_below(20);
    for (uint32_t i = 0; i < t->nto; i++) {
        t->to[i].fate = dice == 0           ? FATE_DEFERRED
                        : dice == 1 && tell ? FATE_FAILED
                        : dice == 2         ? FATE_NONE
                                            : FATE_DELIVERED;
        t->to[i].reply = arena_printf(&t->arena, "%u reply", dice);
    }
    for (uint32_t i = 0; i < t->nto; i++)
        atomic_fetch_sub(&out[2 * t->id + t->to[i].index], 1);
    queue_done(l, t);
}

static void connection(void *arg)
{
    struct lease *l = arg;
    struct ticket *t[8];
    err down = OK;
    while (!down) {
        size_t n = queue_take(l, t, 1 + rt_random_below(8), rt_now() + (rt_time)rt_random_below(5) * RT_MS);
        if (!n)
            break;
        for (size_t i = 0; i < n; i++)
            attempt(l, t[i], true);
        down = rt_random_below(300) == 0 ? E_RESET : OK;
    }
    atomic_fetch_sub(&leases, 1);
    queue_end(l, down, S("it ended"));
}

static bool ops_start(void *arg, struct lease *l)
{
    (void)arg;
    if (rt_random_below(100) == 0 || !fiber_spawn(connection, l, "connection"))
        return false;
    atomic_fetch_add(&leases, 1);
    return true;
}

static err ops_report(void *arg, const struct report *r)
{
    (void)arg;
    fiber_sleep(rt_now() + RT_MS);
    if (rt_random_below(50) == 0)
        return E_DISK_FULL;
    atomic_fetch_add(&recorded[r->id], (int)r->nto);
    if (r->last) {
        atomic_fetch_add(&ended[r->id], 1);
        atomic_fetch_sub(&left_to_end, 1);
    }
    return OK;
}

static void produce(void *arg)
{
    uint64_t first = (uint64_t)(uintptr_t)arg;
    for (uint64_t i = 0; i < EACH; i++) {
        char a[2][32];
        struct recipient to[2] = {0};
        for (int k = 0; k < 2; k++) {
            int n = snprintf(a[k], sizeof a[k], "u%d@site%d.test", (int)i, (int)((i + (uint64_t)k * (i % 3)) % SITES));
            to[k].address = str_mem(a[k], (size_t)n);
        }
        struct body *b = malloc(sizeof *b);
        atomic_init(&b->refs, 1);
        atomic_fetch_add(&bodies, 1);
        struct envelope e = {.id = first + i,
                             .arrived_ms = rt_wall_ms(),
                             .expires_ms = rt_wall_ms() + 86400000,
                             .tenant = (uint32_t)i % 5,
                             .sender = S("s@h.test"),
                             .to = to,
                             .nto = 2};
        if (queue_accept(q, &e, b))
            atomic_fetch_add(&failures, 1);
        body_drop(&b);
        if (i % 200 == 0)
            fiber_sleep(rt_now() + RT_MS);
    }
}

static void watch(void *arg)
{
    (void)arg;
    rt_time until = rt_now() + 60 * RT_S;
    struct queue_stats s;
    do {
        fiber_sleep(rt_now() + 10 * RT_MS);
        queue_stats(q, &s);
        if (rt_random_below(10) == 0)
            queue_reload(q, &conf);
    } while ((atomic_load(&left_to_end) > 0 || s.messages) && rt_now() < until);
    if (s.messages)
        printf("left: %d messages, %d ready, %d waiting, %d active\n", (int)s.messages, (int)s.ready, (int)s.waiting,
               (int)s.active);
    queue_stop(q);
    while ((atomic_load(&leases) > 0 || s.connections) && rt_now() < until) {
        fiber_sleep(rt_now() + 10 * RT_MS);
        queue_stats(q, &s);
    }
    rt_stop();
}

static void init(void *arg, int index)
{
    (void)arg;
    if (index == 0) {
        queue_start(q, NULL, &conf);
        watcher = fiber_spawn(watch, NULL, "watch");
    }
    fiber_spawn(produce, (void *)(uintptr_t)(1 + index * EACH), "produce");
}

static void test_loops(void **state)
{
    (void)state;
    struct queue_ops ops = {.site = ops_site, .start = ops_start, .report = ops_report};
    assert_int_equal(queue_new(&q, &ops), OK);
    conf.queue_delays = (struct conf_times){delays, 2};
    conf.queue_connections_all = 20;
    conf.queue_max_recipients = 1000000;
    conf.body_memory = 100000000;
    atomic_store(&left_to_end, ALL);
    rt_log_setup(LOG_ERROR, false, 2);
    struct rt_start s = {.nloops = LOOPS, .npool = 1, .init = init, .drain = 5 * RT_S};
    assert_int_equal(rt_run(&s), OK);
    for (int i = 1; i <= ALL; i++) {
        assert_int_equal(ended[i], 1);
        assert_int_equal(recorded[i], 2);
    }
    assert_int_equal(failures, 0);
    struct queue_stats st;
    queue_stats(q, &st);
    assert_true(!st.messages && !st.recipients && !st.connections && !st.active && !st.ready && !st.waiting);
    queue_free(&q);
    assert_int_equal(bodies, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
