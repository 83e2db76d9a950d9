/* The files that a first start makes: whichever step fails, or is the last one before a crash, the next start finds
 * nothing that does not belong together, and makes it whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The n-th step fails; with `dead` nothing works after it. */
static long steps, failing;
static bool dead;
static bool fails(void)
{
    steps++;
    bool bad = failing && (steps == failing || (dead && steps > failing));
    if (bad)
        errno = EIO;
    return bad;
}
static ssize_t half_write(int fd, const void *p, size_t n)
{
    if (!fails())
        return write(fd, p, n);
    ssize_t some = write(fd, p, n / 2);
    return errno = ENOSPC, some < 0 ? some : -1;
}
#define openat(dir, name, ...) (fails() ? -1 : openat(dir, name, __VA_ARGS__))
#define write half_write
#define fsync(fd) (fails() ? -1 : fsync(fd))
#define renameat(a, p, b, q) (fails() ? -1 : renameat(a, p, b, q))
#define unlinkat(dir, name, flags) (fails() ? -1 : unlinkat(dir, name, flags))
#define fstatat(dir, name, st, flags) (fails() ? -1 : fstatat(dir, name, st, flags))
#include "app/folders.c"
#include "priv/file.c"
#undef openat
#undef write
#undef fsync
#undef renameat
#undef unlinkat
#undef fstatat
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[64];
static int dir = -1;

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/folders-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    steps = failing = 0;
}

static void end(void)
{
    static const char *const names[] = {"cert.pem", "key.pem", "srs.secret"};
    priv_file_tidy(dir);
    for (size_t i = 0; i < 3; i++)
        (void)unlinkat(dir, names[i], 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left */
    close(dir);
}

static bool there(const char *name, struct buf *ret)
{
    buf_init(ret, 65536);
    return priv_file_read(dir, name, ret) == OK && ret->n > 0;
}

/* Both, or at most one of them: whenever both are there they fit. */
static bool pair_fits(void)
{
    struct buf cert, key;
    bool both = there("cert.pem", &cert) & there("key.pem", &key);
    struct priv_pair p = {buf_str(&cert), buf_str(&key), S("pair")};
    if (both)
        assert_int_equal(priv_setup(&(struct priv_secrets){.pairs = &p, .npairs = 1}), OK);
    buf_free(&cert);
    buf_free(&key);
    return both;
}

static void put(const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* What an earlier start may have left. */
enum before { NOTHING, KEY_ONLY, CERT_ONLY, EMPTY_CERT, EMPTY_KEY, BEFORE };
static void make_before(enum before b)
{
    if (b == NOTHING)
        return;
    assert_int_equal(make_pair(dir, S("old.test")), OK);
    if (b == KEY_ONLY || b == CERT_ONLY)
        assert_int_equal(unlinkat(dir, b == KEY_ONLY ? "cert.pem" : "key.pem", 0), 0);
    else
        put(b == EMPTY_CERT ? "cert.pem" : "key.pem", "");
}

static bool one_start(enum before b, long at)
{
    begin();
    make_before(b);
    steps = 0;
    failing = at;
    err first = make_pair(dir, S("mx.test"));
    bool reached = steps >= at;
    failing = 0;
    assert_true(reached || first == OK);
    pair_fits();
    assert_int_equal(make_pair(dir, S("mx.test")), OK);
    assert_true(pair_fits());
    struct buf was, is;
    assert_true(there("cert.pem", &was));
    assert_int_equal(make_pair(dir, S("mx.test")), OK); /* stays */
    assert_true(there("cert.pem", &is));
    assert_true(str_eq(buf_str(&was), buf_str(&is)));
    buf_free(&was);
    buf_free(&is);
    end();
    return reached;
}

static void test_pair(void **state)
{
    (void)state;
    for (int b = 0; b < BEFORE; b++)
        for (int d = 0; d < 2; d++) {
            long n = 1;
            for (dead = d; one_start((enum before)b, n); n++)
                ;
            assert_true(n > 8);
        }
    priv_end();
}

static void test_srs_secret(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++)
        for (long n = 1, reached = 1; reached; n++) {
            struct buf text;
            begin();
            if (empty)
                put("srs.secret", "");
            dead = n % 2;
            failing = n;
            make_srs_secret(dir);
            reached = steps >= n;
            failing = 0;
            assert_int_equal(make_srs_secret(dir), OK);
            assert_true(there("srs.secret", &text));
            assert_int_equal(text.n, 65);
            buf_free(&text);
            end();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pair), cmocka_unit_test(test_srs_secret)};
    return cmocka_run_group_tests_name("app/folders", tests, NULL, NULL);
}
