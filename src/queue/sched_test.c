/* Who goes when, and over how many connections. */
#include "queue/world.h"

static int setup(void **state)
{
    (void)state;
    world_new();
    world_start();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_free();
    return 0;
}

static void test_simple(void **state)
{
    (void)state;
    uint64_t id = bring1("a@x.test");
    world_run();
    assert_int_equal(w.nleases, 1);
    struct lease *l = w.leases[0];
    assert_string_equal(l->key, "mx x.test");
    struct ticket *t[4];
    assert_int_equal(take(l, t, 4), 1);
    assert_true(t[0]->id == id && t[0]->nto == 1 && t[0]->to[0].index == 0 && t[0]->to[0].attempts == 0);
    assert_str(t[0]->to[0].address, "a@x.test");
    assert_non_null(t[0]->mem);
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_true(s.messages == 1 && s.recipients == 1 && s.active == 1 && s.connections == 1);
    give(l, t[0], FATE_DELIVERED, "250 ok");
    assert_int_equal(count('R', id), 1);
    assert_int_equal(count('E', id), 1);
    queue_stats(w.q, &s);
    assert_true(!s.messages && !s.recipients && !s.active && s.connections == 1 && s.sites == 1 && !s.oldest_ms);
    /* The next message goes to the idle connection. */
    assert_int_equal(take(l, t, 4), 0);
    bring1("b@x.test");
    world_run();
    assert_int_equal(w.nleases, 1);
    assert_int_equal(take(l, t, 4), 1);
    give(l, t[0], FATE_DELIVERED, "250 ok");
    finish_lease(l, OK, NULL);
    queue_stats(w.q, &s);
    assert_true(!s.sites && !s.connections);
}

/* One connection and one message for an unknown destination, then as many as there is work for. */
static void test_growth(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        bring1("a@x.test");
    world_run();
    assert_int_equal(w.nleases, 1);
    struct ticket *t[16];
    assert_int_equal(take(w.leases[0], t, 16), 1);
    assert_int_equal(w.nleases, 1);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    assert_int_equal(w.nleases, 20);
    int loops[2] = {0};
    for (int i = 0; i < 20; i++)
        loops[w.leases[i]->loop == rt_loop(1)]++;
    assert_int_equal(loops[0], 10);
    assert_int_equal(drain(FATE_DELIVERED), 499);
    assert_int_equal(count('E', 0), 500);
}

static void test_few_connections_for_few_messages(void **state)
{
    (void)state;
    struct ticket *t[16];
    bring1("a@x.test");
    world_run();
    assert_int_equal(take(w.leases[0], t, 1), 1);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    bring("b@x.test", 0, 0, 86400000, 0); /* 3 messages while the only connection is busy */
    bring("c@x.test", 0, 0, 86400000, 0);
    bring("d@x.test", 0, 0, 86400000, 0);
    world_run();
    assert_int_equal(w.nleases, 2);
    /* A hundred recipients of one message are one ticket and no reason for more connections. */
    char many[64 * 12] = "";
    for (int i = 0; i < 60; i++)
        strncat(many, i ? " u@x.test" : "u@x.test", 12);
    drain(FATE_DELIVERED);
    bring1("e@x.test");
    world_run();
    assert_int_equal(take(w.leases[0], t, 1), 1);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    bring1(many);
    world_run();
    assert_int_equal(w.nleases, 1);
    world_advance(900);
    assert_int_equal(w.nleases, 1);
    world_advance(200); /* unless the open one is slow */
    assert_int_equal(w.nleases, 2);
    assert_int_equal(drain(FATE_DELIVERED), 1);
}

static void test_limits(void **state)
{
    (void)state;
    w.limits = (struct site_limits){3, 5, 2, 0};
    for (int i = 0; i < 100; i++)
        bring1("a@x.test b@x.test c@x.test d@y.test");
    int most = 0, per[4] = {0};
    world_run();
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < w.nleases; i++) {
            struct lease *l = w.leases[i];
            struct ticket *t[10];
            size_t k = take(l, t, 10);
            int open[2] = {0};
            for (int j = 0; j < w.nleases; j++)
                open[!strcmp(w.leases[j]->key, "mx y.test")]++;
            assert_true(open[0] <= 3 && open[1] <= 3);
            most = open[0] > most ? open[0] : most;
            assert_true(l->taken <= 5);
            for (size_t j = 0; j < k; j++) {
                assert_true(t[j]->nto <= 2);
                per[t[j]->nto]++;
                give(l, t[j], FATE_DELIVERED, "250");
            }
            any = true;
            if (!k)
                finish_lease(l, OK, NULL);
        }
    }
    assert_int_equal(most, 3);
    assert_int_equal(per[2], 100);
    assert_int_equal(per[1], 200);
    assert_int_equal(count('R', 0), 400);
    assert_int_equal(count('E', 0), 100);
}

static void test_tenants_in_turn_class_first(void **state)
{
    (void)state;
    w.limits.connections = 1;
    uint64_t first = bring1("probe@x.test");
    world_run();
    for (int i = 0; i < 1000; i++)
        bring("a@x.test", 1, 0, 86400000, 0);
    for (int i = 0; i < 10; i++)
        bring("b@x.test", 2, 0, 86400000, 0);
    for (int i = 0; i < 3; i++)
        bring("c@x.test", 3, 9, 86400000, 0);
    world_run();
    struct ticket *t[40];
    assert_int_equal(take(w.leases[0], t, 1), 1);
    assert_int_equal(t[0]->id, first);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    assert_int_equal(take(w.leases[0], t, 40), 40);
    int seen[4] = {0};
    for (int i = 0; i < 40; i++) {
        seen[t[i]->msg->tenant]++;
        assert_true(i > 2 || t[i]->msg->class == 9);
        if (i >= 5 && i < 20) /* turn by turn while both have something */
            assert_int_not_equal(t[i]->msg->tenant, t[i - 1]->msg->tenant);
    }
    assert_true(seen[3] == 3 && seen[2] == 10 && seen[1] == 27);
    for (int i = 0; i < 40; i++)
        give(w.leases[0], t[i], FATE_DELIVERED, "250");
    assert_int_equal(count('E', first), 1);
    assert_int_equal(drain(FATE_DELIVERED), 973);
}

static void test_rate(void **state)
{
    (void)state;
    w.limits.rate = 60;
    for (int i = 0; i < 30; i++)
        bring1("a@x.test");
    world_run();
    rt_time last = 0;
    int n = 0;
    struct lease *l = w.leases[0];
    for (int step = 0; step < 400; step++) {
        struct ticket *t[8];
        size_t k = take(l, t, 8);
        assert_true(k <= 1);
        if (k) {
            if (last)
                assert_true(w.now - last >= RT_S && w.now - last <= RT_S + RT_S / 10);
            last = w.now;
            n++;
            give(l, t[0], FATE_DELIVERED, "250");
        }
        world_advance(100);
    }
    assert_int_equal(n, 30);
    assert_int_equal(w.nleases, 1);
}

/* Thousands that cannot be reached are tried no more often, all together, than every 72 ms, at whole seconds. */
static void test_many_down(void **state)
{
    enum { N = 4000 };
    char to[40];
    (void)state;
    w.conf.queue_connections_all = 1;
    queue_reload(w.q, &w.conf);
    for (int i = 0; i < N; i++) {
        snprintf(to, sizeof to, "a@x%d.test", i);
        bring1(to);
        world_run();
        struct ticket *t[2];
        assert_int_equal(w.nleases, 1);
        assert_int_equal(take(w.leases[0], t, 2), 1);
        give(w.leases[0], t[0], FATE_DEFERRED, "connection refused");
        finish_lease(w.leases[0], E_REFUSED, "connection refused");
    }
    static struct queue_site v[N];
    assert_int_equal(queue_sites(w.q, v, N), N);
    int64_t first = INT64_MAX, last = 0, apart = 0;
    for (int i = 0; i < N; i++) {
        int64_t wait = v[i].blocked_until_ms - rt_wall_ms();
        first = wait < first ? wait : first;
        last = wait > last ? wait : last;
        apart += (w.now / RT_MS + wait) % 1000 != 0;
    }
    assert_in_range(first, 30000, 33000);
    assert_in_range(last, (N - 1) * 72, N * 72 * 11 / 10 + 1000);
    assert_in_range(apart, 350, 400);
}

/* A destination that cannot be reached: closed by the table, at no cost, and opened at full speed. */
static void test_down(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        bring1("a@x.test");
    world_run();
    static const int64_t table[] = {30, 60, 120, 300, 600, 900, 900};
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(w.nleases, 1);
        struct ticket *t[16];
        assert_int_equal(take(w.leases[0], t, 16), 1);
        give(w.leases[0], t[0], FATE_DEFERRED, "connection refused");
        finish_lease(w.leases[0], E_REFUSED, "connection refused");
        assert_int_equal(w.nleases, 0);
        struct queue_site v[2];
        assert_int_equal(queue_sites(w.q, v, 2), 1);
        int64_t wait = v[0].blocked_until_ms - rt_wall_ms();
        assert_str(v[0].error, "connection refused");
        assert_true(wait >= table[i] * 1000 && wait <= table[i] * 1100);
        size_t timers = w.timers;
        world_advance(wait - 100);
        assert_int_equal(w.nleases, 0);
        assert_true(w.timers - timers <= 8); /* only the attempts that were spent wake up */
        world_advance(200);
    }
    assert_int_equal(w.events[EV_site_down], COUNT(table));
    assert_int_equal(w.nleases, 1);
    struct ticket *t[16];
    assert_int_equal(take(w.leases[0], t, 16), 1);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    assert_int_equal(w.nleases, 20);
    drain(FATE_DELIVERED);
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_true(s.ready == 0 && s.blocked_sites == 0);
}

/* Back-off never lasts longer than the delays that were asked for. */
static void test_down_short_delays(void **state)
{
    (void)state;
    w.delays[0] = w.delays[1] = w.delays[2] = RT_S;
    queue_reload(w.q, &w.conf);
    bring1("a@x.test");
    bring1("b@x.test");
    world_run();
    struct ticket *t[2];
    take(w.leases[0], t, 2);
    give(w.leases[0], t[0], FATE_DEFERRED, "no");
    finish_lease(w.leases[0], E_TIMEOUT, "");
    assert_int_equal(w.nleases, 0);
    world_advance(1150);
    assert_int_equal(w.nleases, 1);
    drain(FATE_DELIVERED);
    assert_int_equal(count('E', 0), 2);
}

/* A lease whose connection could not be made: its message counts as tried, with the reason as its reply. */
static void test_no_connection(void **state)
{
    (void)state;
    uint64_t id = bring1("a@x.test");
    world_run();
    finish_lease(w.leases[0], E_REFUSED, "connection refused");
    assert_int_equal(w.events[EV_deferred], 1);
    assert_true(count('S', id) == 1 && w.recs[0].attempts == 1);
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_true(s.waiting == 1 && s.blocked_sites == 1);
    world_advance(290000);
    assert_int_equal(w.nleases, 0);
    world_advance(45000);
    assert_int_equal(drain(FATE_DELIVERED), 1);
    id = bring1("a@x.test");
    world_run();
    finish_lease(w.leases[0], E_CANCELLED, "");
    world_advance(200);
    assert_int_equal(w.events[EV_deferred], 1);
    assert_int_equal(drain(FATE_DELIVERED), 1);
}

/* Too many connections for it: it is not down. */
static void test_busy(void **state)
{
    (void)state;
    struct ticket *t[4];
    for (int i = 0; i < 500; i++)
        bring1("a@x.test");
    world_run();
    take(w.leases[0], t, 4);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    assert_int_equal(w.nleases, 20);
    finish_lease(w.leases[19], E_CLOSED, "421 too many");
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_int_equal(s.blocked_sites, 0);
    assert_int_equal(w.nleases, 19);
    drain(FATE_DELIVERED);
    assert_int_equal(count('E', 0), 500);
}

/* All connections are in use: those that are idle, and then those that have had their share, give way. */
static void test_connections_all(void **state)
{
    (void)state;
    w.conf.queue_connections_all = 3;
    queue_reload(w.q, &w.conf);
    struct ticket *t[4];
    bring1("a@x.test");
    world_run();
    take(w.leases[0], t, 1);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    for (int i = 0; i < 300; i++)
        bring1("a@x.test");
    world_run();
    assert_int_equal(w.nleases, 3);
    bring1("b@y.test");
    world_run();
    assert_int_equal(w.nleases, 3);
    assert_int_equal(take(w.leases[1], t, 4), 1);
    give(w.leases[1], t[0], FATE_DELIVERED, "250");
    assert_int_equal(take(w.leases[1], t, 4), 0);
    assert_true(w.leases[1]->over);
    finish_lease(w.leases[1], OK, NULL);
    assert_int_equal(w.nleases, 3);
    assert_string_equal(w.leases[2]->key, "mx y.test");
    drain(FATE_DELIVERED);
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_true(s.recipients == 0 && s.connections == 0);
}

/* A lease that ends without having tried anything must not make the queue run in circles. */
static void test_idle_ends(void **state)
{
    (void)state;
    bring1("a@x.test");
    world_run();
    for (int i = 0; i < 5; i++) {
        struct ticket *t[1];
        assert_int_equal(w.nleases, 1);
        take(w.leases[0], t, 1);
        give(w.leases[0], t[0], FATE_NONE, "");
        finish_lease(w.leases[0], OK, NULL);
        assert_int_equal(w.nleases, 0);
        world_advance(100 << i);
    }
    w.start_fails = true;
    finish_lease(w.leases[0], OK, NULL);
    world_advance(100000);
    assert_int_equal(w.nleases, 0);
    w.start_fails = false;
    world_advance(100000);
    assert_int_equal(drain(FATE_DELIVERED), 1);
}

/* Tickets that cross the end of their lease come back untouched. */
static void test_crossing(void **state)
{
    (void)state;
    bring1("a@x.test");
    world_run();
    struct lease *l = w.leases[0];
    struct ticket *t[1];
    take(l, t, 1);
    give(l, t[0], FATE_DELIVERED, "250");
    assert_int_equal(take(l, t, 1), 0); /* it waits at the owner */
    uint64_t id = bring1("b@x.test");
    assert_non_null(w.first);
    w.first->run(w.first); /* the owner answers ... */
    w.first = w.first->next;
    finish_lease(l, OK, NULL); /* ... while the lease ends */
    world_advance(1000);
    assert_int_equal(w.nleases, 1);
    assert_int_equal(take(w.leases[0], t, 1), 1);
    assert_true(t[0]->id == id && t[0]->to[0].attempts == 0);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
}

static void test_stop(void **state)
{
    (void)state;
    struct ticket *t[1];
    bring1("a@x.test");
    bring1("a@x.test");
    world_run();
    take(w.leases[0], t, 1);
    queue_stop(w.q);
    give(w.leases[0], t[0], FATE_DELIVERED, "250");
    assert_int_equal(count('E', 0), 1);
    assert_int_equal(take(w.leases[0], t, 1), 0);
    finish_lease(w.leases[0], OK, NULL);
    world_advance(10000);
    assert_int_equal(w.nleases, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_simple),
        T(test_growth),
        T(test_few_connections_for_few_messages),
        T(test_limits),
        T(test_tenants_in_turn_class_first),
        T(test_rate),
        T(test_down),
        T(test_many_down),
        T(test_down_short_delays),
        T(test_no_connection),
        T(test_busy),
        T(test_connections_all),
        T(test_idle_ends),
        T(test_crossing),
        T(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
