/*
 * What the log costs, beside the bare system calls: groups of 64 messages of 10 KB, each ended one group later,
 * against one gathered write and one sync of the same octets into a file that was written before. Rounds alternate,
 * medians are printed, nothing is asserted about time. As a unit test it only runs for a moment.
 *
 *     SPOOL_BENCH=5 build/spool-bench_test          seconds a round, in the current folder
 *     SPOOL_RECOVER=1000000 build/spool-bench_test  how long a start takes with so many messages
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "spool/internal.h"

enum { GROUP = 64, SIZE = 10240, ROUNDS = 5 };
static char path[64];
static int dir;

static int setup(void **state)
{
    (void)state;
    const char *at = getenv("SPOOL_BENCH") || getenv("SPOOL_RECOVER") ? "." : "/tmp";
    snprintf(path, sizeof path, "%s/spool-bench-XXXXXX", at);
    assert_non_null(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY);
    rt_log_setup(LOG_ERROR, false, 2);
    return 0;
}

static int rm_one(const char *p, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(p);
}

static int teardown(void **state)
{
    (void)state;
    close(dir);
    return nftw(path, rm_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void no_due(void *arg, const struct envelope *env, const struct rcpt_status *st)
{
    (void)env, (void)st;
    ++*(uint64_t *)arg;
}

static char octets[SIZE];
static struct spool_group groups[GROUP], ends[GROUP];
static uint64_t last[GROUP];

static void put_group(struct engine *e, struct list *l, int i, size_t size)
{
    struct recipient to = {.address = S("somebody@example.test"), .orcpt = S("rfc822;somebody@example.test")};
    struct envelope env = {.id = engine_new_id(e),
                           .sender = S("someone.else@sender.example.org"),
                           .client = S("192.0.2.77"),
                           .helo = S("mail.sender.example.org"),
                           .message_id = S("<0123456789abcdef@sender.example.org>"),
                           .to = &to,
                           .nto = 1,
                           .head_size = 500,
                           .body_size = size - 500};
    struct body *b = body_new();
    body_add(b, str_mem(octets, size));
    spool_group_init(&groups[i]);
    spool_group_message(&groups[i], &env, b, 0);
    body_drop(&b);
    list_push_back(l, &groups[i].held);
    last[i] = env.id;
}

static void put_end(struct list *l, int i)
{
    struct result r = {.outcome = OUT_DELIVERED, .reply = S("250 2.0.0 Ok: queued as 4XyZ123abc")};
    spool_group_init(&ends[i]);
    spool_group_results(&ends[i], last[i], &r, 1);
    spool_group_end(&ends[i], last[i]);
    list_push_back(l, &ends[i].held);
}

static double log_round(struct engine *e, double seconds)
{
    uint64_t n = 0;
    rt_time begun = rt_now_fresh(), until = begun + (rt_time)(seconds * 1e9);
    while (rt_now_fresh() < until) {
        struct list l = LIST_INIT(l);
        int ended = 0;
        for (; ended < GROUP && last[ended]; ended++)
            put_end(&l, ended);
        for (int i = 0; i < GROUP; i++)
            put_group(e, &l, i, SIZE);
        engine_write(e, &l, true);
        for (int i = 0; i < GROUP; i++) {
            assert_int_equal(groups[i].e, OK);
            spool_group_free(&groups[i]);
        }
        for (int i = 0; i < ended; i++)
            spool_group_free(&ends[i]);
        if (atomic_exchange(&e->work, false))
            while (engine_help(e))
                ;
        n += GROUP;
    }
    return (double)n / ((double)(rt_now_fresh() - begun) / 1e9);
}

static double raw_round(int fd, uint64_t size, double seconds)
{
    struct iovec v[GROUP];
    uint64_t n = 0, at = 0;
    for (int i = 0; i < GROUP; i++)
        v[i] = (struct iovec){octets, SIZE};
    rt_time begun = rt_now_fresh(), until = begun + (rt_time)(seconds * 1e9);
    while (rt_now_fresh() < until) {
        if (at + GROUP * SIZE > size)
            at = 0;
        assert_int_equal(rt_fs->pwritev(fd, v, GROUP, at), OK);
        assert_int_equal(rt_fs->datasync(fd), OK);
        at += GROUP * SIZE;
        n += GROUP;
    }
    return (double)n / ((double)(rt_now_fresh() - begun) / 1e9);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void speed(void **state)
{
    (void)state;
    double seconds = getenv("SPOOL_BENCH") ? strtod(getenv("SPOOL_BENCH"), NULL) : 0.02;
    uint64_t size = getenv("SPOOL_BENCH") ? 64 << 20 : 4 << 20, left = 0;
    struct spool_config c = {.dir = dir, .segment_size = size, .spare = 4};
    struct engine *e;
    int fd;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)rt_random();
    assert_int_equal(engine_open(&e, &c, no_due, &left), OK);
    assert_int_equal(rt_fs->open(dir, "raw", O_RDWR | O_CREAT, 0600, &fd), OK);
    raw_round(fd, size, seconds); /* both write over what they have written before */
    log_round(e, seconds);
    double a[ROUNDS], b[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        a[i] = log_round(e, seconds);
        b[i] = raw_round(fd, size, seconds);
    }
    qsort(a, ROUNDS, sizeof *a, by_value);
    qsort(b, ROUNDS, sizeof *b, by_value);
    print_message(
        "log: %.0f messages/s (%.0f-%.0f), with their ends; bare write and sync: %.0f/s (%.0f-%.0f); ratio %.2f\n",
        a[ROUNDS / 2], a[0], a[ROUNDS - 1], b[ROUNDS / 2], b[0], b[ROUNDS - 1], a[ROUNDS / 2] / b[ROUNDS / 2]);
    rt_fs->close(fd);
    engine_close(&e);
}

static long resident_kib(void)
{
    long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void recovery(void **state)
{
    (void)state;
    uint64_t n = getenv("SPOOL_RECOVER") ? strtoull(getenv("SPOOL_RECOVER"), NULL, 10) : 2000, found = 0;
    struct spool_config c = {.dir = dir, .segment_size = 64 << 20, .spare = 2};
    struct engine *e;
    assert_int_equal(engine_open(&e, &c, no_due, &found), OK);
    long before = resident_kib();
    for (uint64_t k = 0; k < n; k += GROUP) {
        struct list l = LIST_INIT(l);
        for (int i = 0; i < GROUP; i++)
            put_group(e, &l, i, 1024);
        engine_write(e, &l, k + GROUP >= n);
        for (int i = 0; i < GROUP; i++)
            spool_group_free(&groups[i]);
        while (atomic_exchange(&e->work, false) && engine_help(e))
            ;
    }
    print_message("resident for the index of %llu messages: %ld bytes each\n", (unsigned long long)n,
                  (resident_kib() - before) * 1024 / (long)n);
    engine_close(&e);
    before = resident_kib();
    rt_time begun = rt_now_fresh();
    assert_int_equal(engine_open(&e, &c, no_due, &found), OK);
    print_message("start with %llu messages: %.2f s, resident %ld bytes each\n", (unsigned long long)found,
                  (double)(rt_now_fresh() - begun) / 1e9, (resident_kib() - before) * 1024 / (long)n);
    assert_true(found >= n);
    engine_close(&e);
}

/* What one result costs the loop that sends it: encoding only. */
static void encoding(void **state)
{
    (void)state;
    int n = getenv("SPOOL_BENCH") ? 2000000 : 20000;
    rt_time begun = rt_now_fresh();
    for (int i = 0; i < n; i++) {
        struct list l = LIST_INIT(l);
        last[0] = (uint64_t)i + 1;
        put_end(&l, 0);
        spool_group_free(&ends[0]);
    }
    last[0] = 0;
    print_message("a result and an end: %.0f ns to encode\n", (double)(rt_now_fresh() - begun) / n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(encoding, setup, teardown),
        cmocka_unit_test_setup_teardown(speed, setup, teardown),
        cmocka_unit_test_setup_teardown(recovery, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
