#include "base/test.h"
#include "db/db.c"

#include <sys/wait.h>

static const char *const one[] = {"CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER)"};
static const char *const two[] = {"CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER)", "ALTER TABLE t ADD COLUMN c TEXT"};

struct place {
    char path[64];
    int dir;
};

static struct place place_make(void)
{
    struct place p;
    snprintf(p.path, sizeof p.path, "/tmp/db-test-XXXXXX");
    assert_non_null(mkdtemp(p.path));
    p.dir = open(p.path, O_RDONLY | O_DIRECTORY);
    assert_true(p.dir >= 0);
    return p;
}

static void place_end(struct place *p)
{
    for (const char *const *n = (const char *const[]){"t.db", "t.db-journal", NULL}; *n; n++)
        unlinkat(p->dir, *n, 0);
    close(p->dir);
    rmdir(p->path);
}

static struct db *open_it(struct place *p, const char *const *steps, int n, err want)
{
    struct db *d = NULL;
    struct buf why;
    buf_init(&why, 1024);
    assert_int_equal(db_open(&d, p->dir, "t.db", steps, n, &why), want);
    assert_true((want != OK) == (why.n != 0));
    buf_free(&why);
    return d;
}

static int64_t count(struct db *d)
{
    struct db_rows r;
    db_rows_begin(&r, d, "SELECT count(*) FROM t", "");
    assert_true(db_rows_next(&r));
    int64_t n = db_rows_num(&r, 0);
    assert_false(db_rows_next(&r));
    assert_int_equal(db_rows_end(&r), OK);
    return n;
}

static void rows(void **state)
{
    (void)state;
    struct place p = place_make();
    struct db *d = open_it(&p, one, 1, OK);
    int64_t changed = 7;
    static const char insert[] = "INSERT INTO t (a, b) VALUES (?, ?)";
    assert_int_equal(db_run(d, &changed, insert, "si", S("x'); DROP TABLE t; --"), (int64_t)1), OK);
    assert_int_equal(changed, 1);
    assert_int_equal(db_run(d, NULL, insert, "si", S("x'); DROP TABLE t; --"), (int64_t)2), E_EXISTS);
    assert_int_equal(db_run(d, NULL, insert, "si", ((str){NULL, 0}), (int64_t)3), OK);
    struct db_rows r;
    db_rows_begin(&r, d, "SELECT a, b FROM t WHERE b >= ? ORDER BY b", "i", (int64_t)0);
    assert_true(db_rows_next(&r));
    assert_str(db_rows_str(&r, 0), "x'); DROP TABLE t; --");
    assert_true(db_rows_next(&r));
    assert_null(db_rows_str(&r, 0).p);
    assert_int_equal(db_rows_num(&r, 1), 3);
    assert_false(db_rows_next(&r));
    assert_int_equal(db_rows_end(&r), OK);
    db_close(&d);
    place_end(&p);
}

static void transactions(void **state)
{
    (void)state;
    struct place p = place_make();
    struct db *d = open_it(&p, one, 1, OK);
    assert_int_equal(db_begin(d), OK);
    assert_int_equal(db_run(d, NULL, "INSERT INTO t (a) VALUES ('a')", ""), OK);
    assert_int_equal(db_end(d, false), OK);
    assert_int_equal(count(d), 0);
    assert_int_equal(db_begin(d), OK);
    assert_int_equal(db_run(d, NULL, "INSERT INTO t (a) VALUES ('a')", ""), OK);
    assert_int_equal(db_end(d, true), OK);
    db_close(&d);
    d = open_it(&p, two, 2, OK); /* a step more: the row is still there */
    assert_int_equal(count(d), 1);
    assert_int_equal(db_run(d, NULL, "UPDATE t SET c = 'z'", ""), OK);
    db_close(&d);
    assert_null(open_it(&p, one, 1, E_UNSUPPORTED));
    place_end(&p);
}

/* A server that starts and commands beside it open a new file at once: each finds it whole. */
static void together(void **state)
{
    enum { PROCESSES = 8, ROUNDS = 5 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct place p = place_make();
        for (int i = 0; i < PROCESSES; i++) {
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0) {
                struct db *d = NULL;
                char mem[200];
                struct buf why;
                buf_init_fixed(&why, mem, sizeof mem);
                err e = db_open(&d, p.dir, "t.db", two, 2, &why);
                if (!e)
                    e = db_run(d, NULL, "INSERT OR IGNORE INTO t (a, b, c) VALUES ('x', 1, 'y')", "");
                _exit(e != OK);
            }
        }
        for (int i = 0; i < PROCESSES; i++) {
            int status;
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
        place_end(&p);
    }
}

static void damage(void **state)
{
    (void)state;
    struct place p = place_make();
    int fd = openat(p.dir, "t.db", O_WRONLY | O_CREAT, 0600);
    char junk[8192];
    memset(junk, 'x', sizeof junk);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    assert_null(open_it(&p, one, 1, E_CORRUPT));
    place_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(transactions),
                                       cmocka_unit_test(together), cmocka_unit_test(damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
