/*
 * What a large queue costs: bytes per message, time per step. Prints figures; asserts only what must hold
 * on any machine. QUEUE_SCALE sets the number of messages.
 */
#include "rt/cells.h"
#include "queue/world.h"

#include <malloc.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd + cells_bytes();
}

static uint32_t scale(void)
{
    const char *z = getenv("QUEUE_SCALE");
    return z ? (uint32_t)strtoul(z, NULL, 10) : 100000;
}

enum { ADDRESSES = 14 + 19 }; /* "from@here.test" and "u1234567@dest.test" */

static void bring_one(uint32_t i, const struct rcpt_status *state)
{
    char mem[32];
    int n = snprintf(mem, sizeof mem, "u%07u@dest.test", i % 10000000);
    struct recipient to = {.address = str_mem(mem, (size_t)n)};
    struct envelope e = {.id = ++w.id,
                         .arrived_ms = rt_wall_ms(),
                         .expires_ms = rt_wall_ms() + 5 * 86400000ll,
                         .head_size = 300,
                         .body_size = 9700,
                         .sender = S("from@here.test"),
                         .to = &to,
                         .nto = 1};
    if (state)
        queue_recovered(w.q, &e, state);
    else
        assert_int_equal(queue_accept(w.q, &e, NULL), OK);
}

static void start(void)
{
    world_new();
    w.recording = false;
    w.limits = (struct site_limits){20, 0, 100, 0};
    w.conf.queue_max_recipients = 100000000;
}

/* A destination that refuses connections, then takes all. */
static void test_blocked_then_drained(void **state)
{
    (void)state;
    uint32_t n = scale();
    start();
    world_start();
    size_t before = heap_bytes();
    double t0 = seconds();
    for (uint32_t i = 0; i < n; i++) {
        bring_one(i, NULL);
        if (i % 64 == 63)
            world_posts();
        if (i == 63) {
            struct ticket *t;
            assert_int_equal(take(w.leases[0], &t, 1), 1);
            give(w.leases[0], t, FATE_NONE, "");
            finish_lease(w.leases[0], E_REFUSED, "connection refused");
        }
    }
    world_run();
    double t1 = seconds();
    assert_int_equal(w.nleases, 0);
    double bytes = (double)(heap_bytes() - before) / n;
    printf("%u messages: %.0f bytes each with addresses (%d), %.0f without; accept %.0f ns\n", n, bytes, ADDRESSES,
           bytes - ADDRESSES, (t1 - t0) * 1e9 / n);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(bytes - ADDRESSES <= 160);
#endif
    size_t timers = w.timers;
    world_advance(25000);
    assert_int_equal(w.timers, timers); /* nothing moves while it is closed */
    t0 = seconds();
    world_advance(10000);
    uint32_t done = 0;
    while (done < n)
        for (int i = 0; i < w.nleases; i++) {
            struct ticket *t[32];
            size_t k = queue_take(w.leases[i], t, 32, w.now);
            for (size_t j = 0; j < k; j++) {
                t[j]->to[0].fate = FATE_DELIVERED;
                queue_done(w.leases[i], t[j]);
            }
            done += (uint32_t)k;
        }
    world_run();
    t1 = seconds();
    printf("take and done: %.0f ns a message\n", (t1 - t0) * 1e9 / n);
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_true(s.messages == 0 && s.recipients == 0);
    while (w.nleases)
        finish_lease(w.leases[0], OK, NULL);
    world_free();
}

static void test_recovery(void **state)
{
    (void)state;
    uint32_t n = scale();
    start();
    double t0 = seconds();
    for (uint32_t i = 0; i < n; i++) {
        struct rcpt_status st = {.attempts = 1, .next_ms = rt_wall_ms() + i % 7200000, .reply = S("451 4.3.2 busy")};
        bring_one(i, &st);
    }
    double t1 = seconds();
    world_start();
    double t2 = seconds();
    printf("recovery: %.0f ns a message, then %.0f ns on the loop\n", (t1 - t0) * 1e9 / n, (t2 - t1) * 1e9 / n);
    struct queue_stats s;
    queue_stats(w.q, &s);
    assert_true(s.messages == n && s.waiting + s.ready + s.active == n);
    t0 = seconds();
    uint64_t cursor = 0;
    struct queue_filter f = {.tenant = -1, .held = -1, .recipient = S("nobody")};
    while (queue_walk(w.q, &f, &cursor, 1000, NULL, NULL))
        ;
    t1 = seconds();
    printf("walk: %.0f ns an entry\n", (t1 - t0) * 1e9 / n);
    t0 = seconds();
    world_advance(7200000); /* all come due, some tens of thousands a minute */
    t1 = seconds();
    printf("timers: %.0f ns a message\n", (t1 - t0) * 1e9 / n);
    queue_stats(w.q, &s);
    assert_true(s.ready + s.active == n);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocked_then_drained), cmocka_unit_test(test_recovery)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
