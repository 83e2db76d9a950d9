/*
 * Random histories on the virtual clock: attempts that end in every way, operators, reloads, full disks,
 * failing reports, and (without sanitizers) allocations that fail. Whatever happens, every recipient ends
 * exactly once on record, the counters agree with what is there, and in the end nothing is left.
 */
#include "queue/world.h"

#include <stdio.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t m), *__libc_realloc(void *p, size_t n);
static bool refuse(void) { return w.failing && rt_random_below(20) == 0; }
void *malloc(size_t n) { return refuse() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return refuse() ? NULL : __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return refuse() ? NULL : __libc_realloc(p, n); }
#endif

enum { MESSAGES = 300, MOST = 6, HELD_MAX = 64 };

static uint8_t ends[MESSAGES][MOST], untold[MESSAGES][MOST], ended[MESSAGES], sizes[MESSAGES];
static struct held {
    struct lease *l;
    struct ticket *t;
} held[HELD_MAX];
static int nheld;
static uint64_t first_id;

static unsigned dice(unsigned n) { return (unsigned)rt_random_below(n); }

static void note_end(uint64_t id, uint32_t rcpt)
{
    assert_true(id > first_id && id <= first_id + MESSAGES && rcpt < sizes[id - first_id - 1]);
    assert_int_equal(ended[id - first_id - 1], 0);
    ends[id - first_id - 1][rcpt]++;
    assert_int_equal(ends[id - first_id - 1][rcpt], 1);
}

/* Not an end: that comes with the report. */
static void note_untold(uint64_t id, uint32_t rcpt)
{
    assert_int_equal(ended[id - first_id - 1], 0);
    assert_int_equal(ends[id - first_id - 1][rcpt], 0);
    assert_int_equal(untold[id - first_id - 1][rcpt]++, 0);
}

static void note_records(void)
{
    for (size_t i = 0; i < w.nrecs; i++) {
        const struct rec *r = &w.recs[i];
        if (r->kind == 'R' && r->outcome == OUT_UNTOLD)
            note_untold(r->id, r->rcpt);
        else if (r->kind == 'R')
            note_end(r->id, r->rcpt);
        else if (r->kind == 'E')
            assert_int_equal(++ended[r->id - first_id - 1], 1);
        else
            assert_int_equal(ended[r->id - first_id - 1], 0);
    }
    w.nrecs = 0;
}

static err report(void *arg, const struct report *r)
{
    (void)arg;
    note_records();
    if (dice(4) == 0)
        return E_DISK_FULL;
    for (uint32_t i = 0; i < r->nto && !r->delayed; i++)
        note_end(r->id, r->to[i].index);
    if (r->last)
        assert_int_equal(++ended[r->id - first_id - 1], 1);
    return OK;
}

static bool start(void *arg, struct lease *l) { return dice(10) ? ops_start(arg, l) : false; }

static void bring_some(void)
{
    char to[MOST * 16] = "";
    unsigned n = 1 + dice(MOST);
    for (unsigned i = 0; i < n; i++)
        snprintf(to + strlen(to), sizeof to - strlen(to), "%su%u@s%u.test", i ? " " : "", i, dice(5));
    sizes[w.id - first_id] = (uint8_t)n;
    bring(to, dice(3), (uint8_t)dice(2), 1000 * (int64_t)(1 + dice(100000)), (uint8_t)(dice(3) ? 0 : dice(16)));
}

static void take_some(void)
{
    if (!w.nleases || nheld > HELD_MAX - 8)
        return;
    struct lease *l = w.leases[dice((unsigned)w.nleases)];
    struct ticket *t[8];
    size_t n = queue_take(l, t, 1 + dice(8), w.now + dice(2));
    for (size_t i = 0; i < n; i++)
        held[nheld++] = (struct held){l, t[i]};
}

static void give_some(void)
{
    if (!nheld)
        return;
    int i = (int)dice((unsigned)nheld);
    struct held h = held[i];
    held[i] = held[--nheld];
    for (uint32_t k = 0; k < h.t->nto; k++) {
        h.t->to[k].fate = (uint8_t)(dice(3) ? FATE_DELIVERED : dice(FATE_REPLACED + 1));
        h.t->to[k].reply = S("4xx or 5xx or 250");
    }
    if (dice(10) == 0)
        h.t->not_before = w.now + dice(1000) * RT_S;
    queue_done(h.l, h.t);
}

static void end_some(void)
{
    if (!w.nleases)
        return;
    struct lease *l = w.leases[dice((unsigned)w.nleases)];
    for (int i = 0; i < nheld; i++)
        if (held[i].l == l) {
            for (uint32_t k = 0; k < held[i].t->nto; k++)
                held[i].t->to[k].fate = FATE_NONE;
            queue_done(l, held[i].t);
            held[i--] = held[--nheld];
        }
    queue_end(l, dice(2) ? OK : E_REFUSED, S("why not"));
    for (int i = 0; i < w.nleases; i++)
        if (w.leases[i] == l)
            w.leases[i] = w.leases[--w.nleases];
}

static void operate(void)
{
    uint64_t id = first_id + 1 + dice(MESSAGES);
    queue_act(w.q, (enum queue_action)dice(QUEUE_BOUNCE + 1), id, dice(2) ? UINT32_MAX : dice(MOST), S("root"));
}

static int64_t counted[R_STATES];
static void tally(void *arg, const struct queue_entry *e)
{
    (void)arg;
    (void)e;
}
static void check(void)
{
    memset(counted, 0, sizeof counted);
    uint64_t messages = 0, at = 0;
    for (struct msg *m; (m = ids_next(&w.q->index, at)); at = m->id, messages++)
        for (uint32_t i = 0; i < m->nto; i++) {
            const struct rcpt *r = &m->to[i];
            bool kept_back = r->state == R_READY && site_blocked(w.q->site[r->site]);
            counted[kept_back ? R_WAITING : r->state]++;
            assert_true(m->to[i].pos == i);
        }
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_int_equal(s.messages, messages);
    assert_int_equal(s.ready, counted[R_READY]);
    assert_int_equal(s.waiting, counted[R_WAITING]);
    assert_int_equal(s.held, counted[R_HELD]);
    assert_int_equal(s.active, counted[R_ACTIVE] + counted[R_ENDING]);
    assert_int_equal(w.metrics[M_queue_recipients], s.recipients);
    uint64_t cursor = 0;
    struct queue_filter f = {.tenant = -1, .held = -1};
    assert_false(queue_walk(w.q, &f, &cursor, 1000000, tally, NULL));
}

static void step(void)
{
    switch (dice(12)) {
    case 0:
        w.disk = dice(4) ? OK : E_DISK_FULL;
        break;
    case 1:
        world_advance(dice(4) ? dice(5000) : dice(1000000));
        break;
    case 2:
        operate();
        break;
    case 3:
        end_some();
        break;
    case 4:
        if (dice(20) == 0)
            queue_reload(w.q, &w.conf);
        break;
    case 5:
        if (w.first)
            world_posts();
        break;
    case 6:
    case 7:
    case 8:
        take_some();
        break;
    default:
        give_some();
    }
}

static void history(uint64_t seed, bool no_memory)
{
    world_new();
    w.seed = seed * 1000003;
    w.limits = (struct site_limits){1 + dice(4), dice(2) ? 5 : 1000, 1 + dice(3), dice(3) ? 0 : 600};
    w.conf.queue_connections_all = 2 + dice(20);
    w.q->ops.report = report;
    w.q->ops.start = start;
    first_id = w.id;
    nheld = 0;
    memset(ends, 0, sizeof ends);
    memset(untold, 0, sizeof untold);
    memset(ended, 0, sizeof ended);
    world_start();
    int brought = 0;
    for (int i = 0; i < 6000; i++) {
        if (brought < MESSAGES && dice(10) == 0) {
            bring_some();
            brought++;
        }
        w.failing = no_memory && brought > 10;
        step();
        w.failing = false;
        if (i % 500 == 0)
            check();
    }
    while (brought++ < MESSAGES)
        bring_some();
    /* Now all is well again, and everything comes to its end. */
    w.disk = OK;
    world_run();
    for (uint64_t id = first_id + 1; id <= first_id + MESSAGES; id++)
        queue_act(w.q, QUEUE_RELEASE, id, UINT32_MAX, S("root"));
    struct queue_stats s;
    for (int round = 0; round < 2000; round++) {
        while (nheld)
            give_some();
        world_run();
        drain(FATE_DELIVERED);
        world_advance(60000);
        queue_stats(w.q, &s);
        if (!s.messages)
            break;
    }
    check();
    note_records();
    int left = 0;
    for (int i = 0; i < MESSAGES; i++) {
        left += !ended[i];
        for (int k = 0; k < sizes[i]; k++)
            assert_int_equal(ends[i][k], ended[i]);
    }
    assert_int_equal(left, w.events[EV_bug]); /* found no memory when they entered: left to the next start */
    assert_true(no_memory || !left);
    assert_true(!s.messages && !s.recipients && !s.sites && !s.connections);
    assert_true(list_empty(&w.q->out) && list_empty(&w.q->leases) && w.q->due.reserved == 0);
    assert_int_equal(w.q->texts.map.n, 0);
    world_free();
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        history(seed, false);
}

static void test_random_without_memory(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        history(seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_random_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
