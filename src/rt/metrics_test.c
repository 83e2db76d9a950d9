/* Counters over threads that live and end; the Prometheus text; clock and random numbers. */
#include "rt/test_world.h"
#include "rt/internal.h"

static void counts(struct task *t, void *arg)
{
    (void)t;
    for (int i = 0; i < 1000; i++)
        metric_add(M_bytes_in, 3);
    metric_max(M_fiber_stack_max, *(int *)arg);
}

static void test_sum(void **state)
{
    (void)state;
    int high[4] = {10, 40, 30, 20};
    struct task *t[4];
    metric_add(M_bytes_in, 7);
    metric_add(M_connections, 2);
    metric_add(M_connections, -3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rt_task_start(&t[i], "count", counts, &high[i]), OK);
    for (int i = 0; i < 4; i++)
        rt_task_stop(&t[i]);
    assert_int_equal(metric_read(M_bytes_in), 12007);
    assert_int_equal(metric_read(M_fiber_stack_max), 40);
    assert_int_equal(metric_read(M_connections), -1);
}

static bool has(struct buf *b, const char *line) { return str_search(buf_str(b), str_c(line)) != STR_NONE; }

static void test_print(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    rt_log_setup(LOG_ERROR, false, 2);
    rt_log(EV_delivered, log_id(1));
    metrics_print(&b);
    assert_int_equal(b.e, OK);
    assert_true(has(&b, "# HELP postrider_bytes_in_total bytes of accepted messages\n"
                        "# TYPE postrider_bytes_in_total counter\npostrider_bytes_in_total 12007\n"));
    assert_true(has(&b, "# TYPE postrider_connections gauge\npostrider_connections -1\n"));
    assert_true(has(&b, "# TYPE postrider_fiber_stack_max gauge\npostrider_fiber_stack_max 40\n"));
    assert_true(has(&b, "\npostrider_events_total{event=\"delivered\"} 1\n"));
    str all = buf_str(&b), line;
    while (str_cut(&all, '\n', &line)) /* each line: a comment or a name and a number */
        assert_true(line.n == 0 || str_starts(line, S("# ")) || str_starts(line, S("postrider_")));
    buf_free(&b);
}

static void test_random(void **state)
{
    (void)state;
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++)
        seen[rt_random_below(7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(seen[i] > 700 && seen[i] < 1300);
    assert_int_equal(rt_random_below(1), 0);
    int fd[2];
    uint64_t here = 0, there = 0;
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    there = rt_random(); /* a child draws other numbers than its parent */
    if (pid == 0) {
        ssize_t n = write(fd[1], &there, sizeof there);
        _exit(n == sizeof there ? 0 : 1);
    }
    assert_int_equal(read(fd[0], &here, sizeof here), sizeof here);
    assert_true(here != there);
    waitpid(pid, NULL, 0);
}

static void test_clock(void **state)
{
    (void)state;
    rt_time a = rt_now(), b = rt_now_fresh();
    assert_true(a > 0 && b >= a);
    assert_true(rt_wall_ms() > 1600000000000);
    assert_true(rt_after(RT_NEVER) == RT_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
