/* The engine on a real folder: put, end, recover, read, compact, refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include <cmocka.h>

#include "spool/internal.h"

static char path[64];
static int dir;
static struct spool_config config;
static struct engine *e;

struct seen {
    uint64_t id[4096];
    uint16_t attempts[4096];
    bool held[4096];
    uint32_t left[4096], untold[4096];
    int n;
};
static struct seen seen;

static void due(void *arg, const struct envelope *env, const struct rcpt_status *st)
{
    struct seen *s = arg;
    s->id[s->n] = env->id;
    s->left[s->n] = s->untold[s->n] = 0;
    for (uint32_t i = 0; i < env->nto; i++) {
        s->untold[s->n] += st[i].state == RCPT_UNTOLD;
        if (st[i].state == RCPT_WAITING) {
            s->left[s->n]++;
            s->attempts[s->n] = st[i].attempts;
            s->held[s->n] = st[i].held;
        }
    }
    s->n++;
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/spool-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY);
    config = (struct spool_config){.dir = dir, .segment_size = 256 * 1024, .spare = 2};
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
    engine_close(&e);
    close(dir);
    return nftw(path, rm_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void reopen(void)
{
    engine_close(&e);
    seen.n = 0;
    assert_int_equal(engine_open(&e, &config, due, &seen), OK);
}

static err write_one(struct spool_group *g, bool sync)
{
    struct list l = LIST_INIT(l);
    list_push_back(&l, &g->held);
    engine_write(e, &l, sync);
    return g->e;
}

static struct body *make_body(size_t n, unsigned seed)
{
    struct body *b = body_new();
    for (size_t i = 0; i < n; i++) {
        char c = (char)('a' + (i * 7 + seed) % 26);
        assert_int_equal(body_add(b, (str){&c, 1}), OK);
    }
    return b;
}

static void make_env(struct envelope *env, struct recipient *to, uint32_t nto, uint64_t id, size_t n)
{
    for (uint32_t i = 0; i < nto; i++)
        to[i] = (struct recipient){.address = S("someone@example.test"), .notify = 1};
    *env = (struct envelope){.id = id,
                             .arrived_ms = 1,
                             .expires_ms = 2,
                             .sender = S("from@example.org"),
                             .to = to,
                             .nto = nto,
                             .head_size = n < 100 ? (uint32_t)n : 100,
                             .body_size = n < 100 ? 0 : n - 100};
}

static uint64_t put(size_t n, uint32_t nto)
{
    uint64_t id = engine_new_id(e);
    struct recipient to[8];
    struct envelope env;
    struct spool_group g;
    make_env(&env, to, nto, id, n);
    struct body *b = make_body(n, (unsigned)id);
    spool_group_init(&g);
    assert_int_equal(spool_group_message(&g, &env, b, 0), OK);
    assert_int_equal(write_one(&g, true), OK);
    spool_group_free(&g);
    body_drop(&b);
    return id;
}

static void finish(uint64_t id)
{
    struct spool_group g;
    struct result r = {.outcome = OUT_DELIVERED, .reply = S("250 ok")};
    spool_group_init(&g);
    assert_int_equal(spool_group_results(&g, id, &r, 1), OK);
    assert_int_equal(spool_group_end(&g, id), OK);
    assert_int_equal(write_one(&g, true), OK);
    spool_group_free(&g);
}

static void retry(uint64_t id, uint32_t rcpt, uint16_t attempts, bool held)
{
    struct spool_group g;
    struct retry r = {.rcpt = rcpt, .attempts = attempts, .held = held, .next_ms = 99, .reply = S("451 later")};
    spool_group_init(&g);
    assert_int_equal(spool_group_retries(&g, id, &r, 1), OK);
    assert_int_equal(write_one(&g, false), OK);
    spool_group_free(&g);
}

static void check_read(uint64_t id, size_t n, struct body *mem)
{
    struct spool_reader r;
    assert_int_equal(read_open(&r, e, id, mem), OK);
    assert_true(r.env.id == id);
    assert_true(str_eq(r.env.sender, S("from@example.org")));
    size_t at = 0;
    for (str s;;) {
        assert_int_equal(spool_read_next(&r, &s), OK);
        if (!s.n)
            break;
        for (size_t i = 0; i < s.n; i++, at++)
            assert_int_equal(s.p[i], (char)('a' + (at * 7 + (unsigned)id) % 26));
    }
    assert_int_equal(at, n);
    spool_read_close(&r);
}

static void put_recover_read(void **state)
{
    (void)state;
    reopen();
    uint64_t a = put(10000, 1), b = put(100, 3), c = put(0, 1), d = put(130000, 1);
    assert_true(a < b && b < c && c < d);
    check_read(a, 10000, NULL);
    check_read(d, 130000, NULL);
    finish(b);
    struct spool_reader r;
    assert_int_equal(read_open(&r, e, b, NULL), E_NOT_FOUND);
    retry(a, 0, 3, false);
    retry(a, 0, 4, true);
    for (int i = 0; i < 2; i++) {
        reopen();
        assert_int_equal(seen.n, 3);
        assert_true(seen.id[0] == a && seen.id[1] == c && seen.id[2] == d);
        assert_int_equal(seen.attempts[0], 4);
        assert_true(seen.held[0]);
        check_read(a, 10000, NULL);
        check_read(c, 0, NULL);
        check_read(d, 130000, NULL);
    }
    assert_true(engine_new_id(e) > d);
}

static void result(uint64_t id, uint32_t rcpt, uint8_t outcome)
{
    struct spool_group g;
    struct result r = {.rcpt = rcpt, .outcome = outcome, .reply = S("250 ok")};
    spool_group_init(&g);
    assert_int_equal(spool_group_results(&g, id, &r, 1), OK);
    assert_int_equal(write_one(&g, true), OK);
    spool_group_free(&g);
}

/* Delivered, but its sender is not told: no more attempts, and no end before the second result. */
static void untold(void **state)
{
    (void)state;
    reopen();
    uint64_t a = put(100, 2), b = put(100, 1);
    retry(a, 1, 3, false);
    result(a, 0, OUT_UNTOLD);
    retry(a, 0, 7, false);
    result(b, 0, OUT_UNTOLD);
    for (int i = 0; i < 2; i++) {
        reopen();
        assert_int_equal(seen.n, 2);
        assert_true(seen.left[0] == 1 && seen.untold[0] == 1 && seen.attempts[0] == 3);
        assert_true(seen.left[1] == 0 && seen.untold[1] == 1);
    }
    result(a, 0, OUT_DELIVERED);
    result(b, 0, OUT_DELIVERED);
    reopen();
    assert_int_equal(seen.n, 1);
    assert_true(seen.id[0] == a && seen.left[0] == 1 && seen.untold[0] == 0);
}

static void work(void)
{
    while (engine_help(e))
        ;
}

static uint32_t used(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->nsegs; i++)
        n += e->segs[i] && (e->segs[i]->state == SEG_ACTIVE || e->segs[i]->state == SEG_SEALED);
    return n;
}

/* A flow through many segments with some that stay: segments come back, nothing is lost, ended ones stay away. */
static void recycles(void **state)
{
    (void)state;
    reopen();
    static uint64_t keep[64];
    int nkeep = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t id = put(5000, 1);
        if (i % 40 == 7) {
            keep[nkeep++] = id;
            retry(id, 0, (uint16_t)(i % 9 + 1), false);
        } else {
            finish(id);
        }
        work();
        if (i % 333 == 332)
            reopen();
    }
    work();
    assert_true(used() < 14);
    for (int again = 0; again < 2; again++) {
        reopen();
        assert_int_equal(seen.n, nkeep);
        for (int i = 0; i < nkeep; i++) {
            assert_true(seen.id[i] == keep[i]);
            assert_int_equal(seen.attempts[i], (40 * i + 7) % 9 + 1);
            check_read(keep[i], 5000, NULL);
        }
    }
    for (int i = 0; i < nkeep; i++)
        finish(keep[i]);
    work();
    assert_true(used() <= 3);
    reopen();
    assert_int_equal(seen.n, 0);
}

/* ---- folders whose sync fails --------------------------------------------------------------------- */

static err dir_sync_fails(int fd) { return fd == e->dir ? E_IO : rt_fs_real.sync(fd); }

/* A segment whose name is gone never takes another message, even when the folder's sync failed. */
static void surplus_without_sync(void **state)
{
    (void)state;
    static uint64_t ids[400];
    struct rt_fs fs = rt_fs_real;
    reopen();
    for (int i = 0; i < 400; i++)
        ids[i] = put(20000, 1);
    for (int i = 0; i < 400; i++)
        finish(ids[i]);
    fs.sync = dir_sync_fails;
    rt_fs = &fs;
    work();
    rt_fs = &rt_fs_real;
    for (int i = 0; i < 200; i++) {
        ids[i] = put(20000, 1);
        work();
    }
    reopen();
    assert_int_equal(seen.n, 200);
}

static bool first_reads_fail, syncs_fail;

static err head_read_fails(int fd, void *p, size_t n, uint64_t at, size_t *ret_n)
{
    return first_reads_fail && at == PAGE ? E_IO : rt_fs_real.pread(fd, p, n, at, ret_n);
}

static err data_sync_fails(int fd) { return syncs_fail ? E_IO : rt_fs_real.datasync(fd); }

/* A head that cannot be read, a tail that cannot be written again: the spool does not open, and the next time
 * everything is there. */
static void no_start_in_doubt(void **state)
{
    (void)state;
    struct rt_fs fs = rt_fs_real;
    fs.pread = head_read_fails;
    fs.datasync = data_sync_fails;
    reopen();
    for (int i = 0; i < 60; i++)
        put(20000, 1);
    engine_close(&e);
    rt_fs = &fs;
    for (int turn = 0; turn < 2; turn++) {
        first_reads_fail = turn == 0;
        syncs_fail = turn == 1;
        assert_int_equal(engine_open(&e, &config, due, &seen), E_IO);
        assert_null(e);
    }
    first_reads_fail = syncs_fail = false;
    reopen();
    rt_fs = &rt_fs_real;
    assert_int_equal(seen.n, 60);
}

static void chunks(void **state)
{
    (void)state;
    config.segment_size = 1 << 20;
    reopen();
    uint64_t id = engine_new_id(e);
    size_t at = 100;
    struct spool_group g;
    for (uint32_t n = 0; n < 5; n++) {
        struct body *b = body_new();
        for (size_t i = 0; i < SPOOL_CHUNK; i++, at++) {
            char ch = (char)('a' + (at * 7 + (unsigned)id) % 26);
            body_add(b, (str){&ch, 1});
        }
        spool_group_init(&g);
        assert_int_equal(spool_group_chunk(&g, id, n, b), OK);
        assert_int_equal(write_one(&g, true), OK);
        spool_group_free(&g);
        body_drop(&b);
        work();
    }
    struct body *b = body_new();
    for (size_t i = 0; i < 1100; i++) {
        size_t k = i < 100 ? i : at++;
        char ch = (char)('a' + (k * 7 + (unsigned)id) % 26);
        body_add(b, (str){&ch, 1});
    }
    struct recipient to[1];
    struct envelope env;
    make_env(&env, to, 1, id, at);
    spool_group_init(&g);
    assert_int_equal(spool_group_message(&g, &env, b, 5), OK);
    assert_int_equal(write_one(&g, true), OK);
    spool_group_free(&g);
    check_read(id, at, b);
    body_drop(&b);
    reopen();
    assert_int_equal(seen.n, 1);
    check_read(id, at, NULL);
    finish(id);
    work();
    reopen();
    assert_int_equal(seen.n, 0);
    assert_true(used() <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_recover_read, setup, teardown),
        cmocka_unit_test_setup_teardown(untold, setup, teardown),
        cmocka_unit_test_setup_teardown(recycles, setup, teardown),
        cmocka_unit_test_setup_teardown(surplus_without_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(no_start_in_doubt, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
