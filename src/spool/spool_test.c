/* The spool with its threads: many fibers on two loops put, read and end messages. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>

#include "rt/test_world.h"
#include "spool/internal.h"

static char path[64];
static struct spool *s;
static atomic_int running;
static atomic_long wrong;

enum { FIBERS = 20, EACH = 50, SIZE = 10000 };

static int rm_one(const char *p, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(p);
}

static struct body *make_body(uint64_t id, size_t n)
{
    struct body *b = body_new();
    char block[1000];
    memset(block, 'a' + (int)(id % 26), sizeof block);
    for (size_t i = 0; i < n; i += sizeof block)
        CHECK(!body_add(b, str_mem(block, sizeof block)));
    return b;
}

static void read_back(uint64_t id, struct body *mem)
{
    struct spool_reader r;
    str piece;
    size_t n = 0;
    CHECK(!spool_read_open(&r, s, id, mem));
    CHECK(r.env.id == id && r.env.nto == 1);
    for (;;) {
        CHECK(!spool_read_next(&r, &piece));
        if (!piece.n)
            break;
        for (size_t i = 0; i < piece.n; i++)
            if (piece.p[i] != 'a' + (int)(id % 26))
                atomic_fetch_add(&wrong, 1);
        n += piece.n;
    }
    CHECK(n == SIZE);
    spool_read_close(&r);
}

static atomic_int lazy_done;
static void lazy_ran(struct post *p)
{
    struct spool_group *g = container_of(p, struct spool_group, done);
    CHECK(g->e == OK);
    spool_group_free(g);
    free(g);
    atomic_fetch_add(&lazy_done, 1);
}

static void one(bool keep)
{
    uint64_t id = spool_new_id(s);
    struct body *b = make_body(id, SIZE);
    struct recipient to = {.address = S("a@example.test")};
    struct envelope env = {.id = id, .to = &to, .nto = 1, .head_size = 100, .body_size = SIZE - 100};
    struct spool_group g;
    CHECK(!spool_room(s, SIZE));
    spool_group_init(&g);
    CHECK(!spool_group_message(&g, &env, b, 0));
    CHECK(!spool_put(s, &g));
    spool_group_free(&g);
    read_back(id, b);
    body_drop(&b);
    read_back(id, NULL);
    struct spool_group *lazy = malloc(sizeof *lazy);
    spool_group_init(lazy);
    lazy->lazy = true;
    lazy->done.run = lazy_ran;
    struct retry later = {.attempts = 1, .next_ms = 7};
    CHECK(!spool_group_retries(lazy, id, &later, 1));
    spool_send(s, lazy);
    if (keep)
        return;
    struct result r = {.outcome = OUT_DELIVERED};
    CHECK(!spool_group_results(&g, id, &r, 1) && !spool_group_end(&g, id));
    CHECK(!spool_put(s, &g));
    spool_group_free(&g);
    struct spool_reader gone;
    CHECK(spool_read_open(&gone, s, id, NULL) == E_NOT_FOUND);
}

static void client(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++)
        one(i % 10 == 0);
    if (atomic_fetch_sub(&running, 1) == 1) {
        while (atomic_load(&lazy_done) < 2 * FIBERS * EACH)
            fiber_sleep(rt_now() + 50 * RT_MS);
        rt_stop();
    }
}

static void init(void *arg, int index)
{
    (void)arg, (void)index;
    for (int i = 0; i < FIBERS; i++)
        CHECK(fiber_spawn(client, NULL, "client"));
}

static atomic_int left;
static void due(void *arg, const struct envelope *env, const struct rcpt_status *st)
{
    (void)arg, (void)env;
    CHECK(st[0].state == RCPT_WAITING);
    CHECK(st[0].attempts == 1 && st[0].next_ms == 7);
    atomic_fetch_add(&left, 1);
}

static void many_fibers(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/spool-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        int dir = open(path, O_RDONLY | O_DIRECTORY);
        struct spool_config c = {.dir = dir, .segment_size = 512 * 1024, .spare = 2};
        atomic_store(&running, 2 * FIBERS);
        rt_log_setup(LOG_ERROR, false, 2);
        CHECK(!spool_open(&s, &c, due, NULL));
        struct spool *other;
        CHECK(spool_open(&other, &c, due, NULL) == E_EXISTS);
        struct rt_start start = {.nloops = 2, .npool = 2, .init = init, .drain = 5 * RT_S};
        CHECK(!rt_run(&start));
        spool_close(&s);
        CHECK(atomic_load(&wrong) == 0);
        err again = spool_open(&s, &c, due, NULL);
        if (again)
            fprintf(stderr, "reopened: %s, errno %s\n", err_name(again), strerror(errno));
        CHECK(!again);
        spool_close(&s);
        CHECK(atomic_load(&left) == 2 * FIBERS * EACH / 10);
        close(dir);
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(nftw(path, rm_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_fibers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
