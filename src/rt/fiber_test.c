/* Fibers of one loop: switching, waking, cancelling, sleeping, conditions, timers. */
#include "rt/test_world.h"
#include "rt/internal.h"

#include <signal.h>

enum { SWITCHES = 100000 };
static int turns[2];

static void switcher(void *arg)
{
    int *n = arg;
    while (*n < SWITCHES) {
        ++*n;
        fiber_yield();
        CHECK(abs(turns[0] - turns[1]) <= 1);
    }
    if (turns[0] == SWITCHES && turns[1] == SWITCHES)
        rt_stop();
}

static void switch_init(void *arg, int index)
{
    (void)arg, (void)index;
    CHECK(fiber_spawn(switcher, &turns[0], "a"));
    CHECK(fiber_spawn(switcher, &turns[1], "b"));
}

static void test_switch(void **state)
{
    (void)state;
    world(1, switch_init);
}

static void nothing(void *arg) { ++*(int *)arg; }

static void many_init(void *arg, int index)
{
    (void)arg, (void)index;
    int ended = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++)
            CHECK(fiber_spawn(nothing, &ended, "n"));
        fiber_yield();
        while (ended < 1000 * (round + 1))
            fiber_yield();
    }
    CHECK(metric_read(M_fibers) == 1);
    rt_stop();
}

static void test_many(void **state)
{
    (void)state;
    world(1, many_init);
}

static struct fiber *first;
static int log_n;
static char order[16];

static void waits(void *arg)
{
    (void)arg;
    order[log_n++] = 'w';
    CHECK(fiber_park(RT_NEVER) == OK);
    order[log_n++] = 'W';
    CHECK(fiber_park(rt_after(5 * RT_MS)) == E_TIMEOUT);
    CHECK(fiber_park(0) == E_TIMEOUT);
    rt_stop();
}

static void wake_init(void *arg, int index)
{
    (void)arg, (void)index;
    fiber_wake(fiber_self()); /* before the park: kept, one of them */
    fiber_wake(fiber_self());
    CHECK(fiber_park(RT_NEVER) == OK);
    CHECK(fiber_park(rt_after(RT_MS)) == E_TIMEOUT);
    first = fiber_spawn(waits, NULL, "waits");
    CHECK(first && log_n == 0); /* spawn does not switch */
    fiber_yield();
    CHECK(log_n == 1);
    fiber_wake(first);
    CHECK(log_n == 1); /* nor does wake */
    fiber_yield();
    CHECK(log_n == 2 && order[0] == 'w' && order[1] == 'W');
}

static void test_wake(void **state)
{
    (void)state;
    world(1, wake_init);
}

static void cancelled(void *arg)
{
    (void)arg;
    CHECK(!fiber_cancelled());
    CHECK(fiber_park(RT_NEVER) == E_CANCELLED);
    CHECK(fiber_cancelled());
    CHECK(fiber_park(RT_NEVER) == E_CANCELLED);
    CHECK(fiber_sleep(rt_after(RT_S)) == E_CANCELLED);
    struct io io;
    struct sockaddr to = {.sa_family = AF_INET};
    CHECK(io_connect(&io, &to, sizeof to, NULL, 0, RT_NEVER) == E_CANCELLED);
    fiber_shield(true);
    fiber_shield(true);
    fiber_shield(false);
    CHECK(!fiber_cancelled());
    CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    CHECK(fiber_park(rt_after(RT_MS)) == E_TIMEOUT);
    fiber_shield(false);
    CHECK(fiber_park(RT_NEVER) == E_CANCELLED);
    rt_stop();
}

static void cancel_init(void *arg, int index)
{
    (void)arg, (void)index;
    first = fiber_spawn(cancelled, NULL, "c");
    fiber_yield();
    fiber_cancel(first);
    fiber_cancel(first);
}

static void test_cancel(void **state)
{
    (void)state;
    world(1, cancel_init);
}

static struct cond cond;
static int woken;

static void cond_waiter(void *arg)
{
    err expect = *(err *)arg;
    CHECK(cond_wait(&cond, expect == E_TIMEOUT ? rt_after(RT_MS) : RT_NEVER) == expect);
    woken++;
}

static void cond_case(void *arg, int index)
{
    (void)arg, (void)index;
    static err ok = OK, timeout = E_TIMEOUT, cancel = E_CANCELLED;
    cond_init(&cond);
    for (int i = 0; i < 3; i++)
        CHECK(fiber_spawn(cond_waiter, &ok, "ok"));
    fiber_yield();
    cond_wake_one(&cond);
    fiber_yield();
    CHECK(woken == 1);
    cond_wake_all(&cond);
    fiber_yield();
    CHECK(woken == 3);
    CHECK(fiber_spawn(cond_waiter, &timeout, "timeout"));
    struct fiber *c = fiber_spawn(cond_waiter, &cancel, "cancel");
    CHECK(fiber_sleep(rt_after(20 * RT_MS)) == OK);
    CHECK(woken == 4);
    fiber_cancel(c);
    fiber_yield();
    CHECK(woken == 5 && list_empty(&cond.waiters));
    rt_stop();
}

static void test_cond(void **state)
{
    (void)state;
    world(1, cond_case);
}

static struct ticking {
    struct timer t;
    int name;
} ticks[6];
static int rang[16], nrang;

static void ring(struct timer *t)
{
    CHECK(fiber_self() == NULL);
    rang[nrang++] = container_of(t, struct ticking, t)->name;
}

static void timers_init(void *arg, int index)
{
    (void)arg, (void)index;
    static const int ms[] = {9, 3, 12, 6, 1, 15};
    for (int i = 0; i < 6; i++) {
        ticks[i].name = i;
        ticks[i].t.fn = ring;
        timer_set(&ticks[i].t, rt_after(ms[i] * RT_MS));
    }
    timer_stop(&ticks[2].t);
    timer_stop(&ticks[2].t);
    timer_set(&ticks[4].t, rt_after(10 * RT_MS)); /* moved behind 0 */
    CHECK(fiber_sleep(rt_after(40 * RT_MS)) == OK);
    static const int expect[] = {1, 3, 0, 4, 5};
    CHECK(nrang == 5 && memcmp(rang, expect, sizeof expect) == 0);
    timer_set(&ticks[0].t, 0); /* in the past: next turn */
    fiber_sleep(rt_after(2 * RT_MS));
    CHECK(nrang == 6 && rang[5] == 0);
    rt_stop();
}

static void test_timers(void **state)
{
    (void)state;
    world(1, timers_init);
}

/* Without memory for the heap a timer waits in a list and rings all the same. */
static void late_timers_init(void *arg, int index)
{
    (void)arg, (void)index;
    struct heap *h = &rt_self()->timers;
    struct heap real = *h;
    nrang = 0;
    h->n = h->cap = UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        ticks[i].name = i;
        ticks[i].t.fn = ring;
        timer_set(&ticks[i].t, rt_after((4 - i) * RT_MS));
        CHECK(heap_has(&ticks[i].t.node));
    }
    timer_set(&ticks[0].t, rt_after(5 * RT_MS));
    timer_stop(&ticks[2].t);
    timer_stop(&ticks[2].t);
    CHECK(!heap_has(&ticks[2].t.node));
    *h = real;
    CHECK(fiber_sleep(rt_after(20 * RT_MS)) == OK);
    static const int expect[] = {3, 1, 0};
    CHECK(nrang == 3 && memcmp(rang, expect, sizeof expect) == 0);
    CHECK(!rt_self()->late);
    rt_stop();
}

static void test_late_timers(void **state)
{
    (void)state;
    world(1, late_timers_init);
}

static void on_signal(int n)
{
    (void)n;
    rt_stop();
}

static void signal_init(void *arg, int index)
{
    (void)arg, (void)index;
    signal(SIGUSR1, on_signal);
    kill(getpid(), SIGUSR1);
    CHECK(fiber_sleep(RT_NEVER) == E_CANCELLED);
}

static void test_signal(void **state)
{
    (void)state;
    world(1, signal_init);
}

/* A deep fiber that sleeps long gives its pages back, and its frames stay as they are. */
static __attribute__((noinline)) int dig(int n)
{
    volatile char p[1000];
    p[0] = (char)n;
    return n ? dig(n - 1) + p[0] : p[0];
}

static void deep(void *arg)
{
    char here[600];
    memset(here, 7, sizeof here);
    CHECK(dig(20) == 210);
    CHECK(fiber_park(rt_after(60 * RT_S)) == OK);
    for (size_t i = 0; i < sizeof here; i++)
        CHECK(here[i] == 7);
    CHECK(dig(20) == 210);
    rt_stop();
    (void)arg;
}

static void trim_init(void *arg, int index)
{
    (void)arg, (void)index;
    struct fiber *f = fiber_spawn(deep, NULL, "deep");
    fiber_yield();
    stack_trim(f);
    CHECK(f->trimmed);
#if !defined RT_SANITIZER /* their frames may lie elsewhere or be larger */
    CHECK(metric_read(M_fiber_stack_max) > 20000 && metric_read(M_fiber_stack_max) < STACK_SIZE);
#endif
    fiber_wake(f);
}

static void test_trim(void **state)
{
    (void)state;
    world(1, trim_init);
}

static void stubborn(void *arg)
{
    (void)arg;
    fiber_shield(true);
    fiber_sleep(rt_after(60 * RT_S));
}

static void drain_init(void *arg, int index)
{
    (void)arg, (void)index;
    CHECK(fiber_spawn(stubborn, NULL, "stubborn"));
    fiber_yield();
    rt_stop();
}

static void test_drain(void **state)
{
    (void)state;
    world_of(1, 1, 30 * RT_MS, drain_init, E_TIMEOUT);
}

static void late(void *arg)
{
    (void)arg;
    CHECK(fiber_park(RT_NEVER) == E_CANCELLED); /* born cancelled */
}

static void sleeper(void *arg)
{
    (void)arg;
    CHECK(fiber_sleep(RT_NEVER) == E_CANCELLED);
    CHECK(fiber_spawn(late, NULL, "late"));
}

static void stop_init(void *arg, int index)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(fiber_spawn(sleeper, NULL, "sleeper"));
    if (index == 1) {
        fiber_sleep(rt_after(5 * RT_MS));
        rt_stop();
    }
}

static void test_stop(void **state)
{
    (void)state;
    world(2, stop_init);
}

/* ---- calls on the loop's stack ---- */

static struct fiber *caller;

static void far_down(void *arg)
{
    volatile char large[300 * 1024]; /* more than a fiber has */
    large[0] = large[sizeof large - 1] = 1;
    CHECK(fiber_self() == caller);
    fiber_on_loop(nothing, arg); /* from there it is a plain call */
}

static void calling(void *arg)
{
    int *n = arg;
    caller = fiber_self();
    for (int i = 1; i <= 3; i++) {
        fiber_on_loop(far_down, n);
        CHECK(*n == i);
        fiber_yield();
        CHECK(caller == fiber_self());
    }
    rt_stop();
}

static void calling_init(void *arg, int index)
{
    static int n;
    (void)arg, (void)index;
    CHECK(fiber_spawn(calling, &n, "calling"));
}

static void test_on_loop(void **state)
{
    (void)state;
    world(1, calling_init);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_loop), cmocka_unit_test(test_switch),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_wake),    cmocka_unit_test(test_cancel),      cmocka_unit_test(test_cond),
        cmocka_unit_test(test_timers),  cmocka_unit_test(test_late_timers), cmocka_unit_test(test_signal),
        cmocka_unit_test(test_trim),    cmocka_unit_test(test_drain),       cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
