/* Records come back, from the newer of two files, from the older when the newer is torn; keys stay the same; limits. */
#include "base/test.h"
#include "db/counts.c"

#include <unistd.h>

static char dir[] = "/tmp/counts-test-XXXXXX";
static int dirfd_;
static struct {
    uint64_t key[COUNTS_RECORDS_MAX + 1];
    uint32_t value[COUNTS_RECORDS_MAX + 1];
    size_t n, want;
} mine;

static void save(struct counts_out *out)
{
    for (size_t i = 0; i < mine.want; i++) {
        char mem[8];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        buf_put_u32(&b, (uint32_t)i * 3);
        if (!counts_put(out, i + 1, buf_str(&b)))
            break;
    }
}

static void load(uint64_t key, struct cur *in)
{
    mine.key[mine.n] = key;
    mine.value[mine.n++] = cur_u32(in);
}

static const struct counts_owner owner = {'T', save, load};

static void again(void)
{
    char mem[200];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    counts_close();
    mine.n = 0;
    assert_int_equal(counts_open(dirfd_, &why), OK);
}

static void flip(const char *name, off_t at)
{
    char c;
    int fd = openat(dirfd_, name, O_RDWR);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void cycles(void **state)
{
    (void)state;
    counts_register(&owner);
    again();
    assert_int_equal(mine.n, 0);
    uint64_t key = counts_hash('T', S("Alice"));
    assert_true(key == counts_hash('T', S("alice")));
    assert_true(key != counts_hash('U', S("alice")));
    for (size_t n = 0; n < 6; n++) {
        mine.want = n * 2;
        assert_int_equal(counts_save(), OK);
        again();
        assert_int_equal(mine.n, n * 2);
        for (size_t i = 0; i < mine.n; i++)
            assert_true(mine.key[i] == i + 1 && mine.value[i] == i * 3);
    }
    assert_true(key == counts_hash('T', S("alice")));
}

/* Whichever octet of the newer file is wrong, the older one is used, and the next write goes over the wrong one. */
static void torn(void **state)
{
    (void)state;
    static const off_t places[] = {0, 8, 16, 24, 32, 40, HEAD, HEAD + 1, HEAD + 9, HEAD + 12};
    for (size_t i = 0; i < COUNT(places); i++) {
        mine.want = 4;
        assert_int_equal(counts_save(), OK);
        mine.want = 7;
        assert_int_equal(counts_save(), OK);
        flip(counts.sequence & 1 ? "counts.1" : "counts.0", places[i]);
        again();
        assert_int_equal(mine.n, 4);
        mine.want = 9;
        assert_int_equal(counts_save(), OK);
        again();
        assert_int_equal(mine.n, 9);
    }
    flip("counts.0", 20);
    flip("counts.1", 20);
    again();
    assert_int_equal(mine.n, 0);
    assert_int_equal(ftruncate(counts.fd[0], 10), 0);
    assert_int_equal(ftruncate(counts.fd[1], 0), 0);
    again();
    assert_int_equal(mine.n, 0);
}

static void limits(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        mine.want = COUNTS_RECORDS_MAX + (size_t)more;
        assert_int_equal(counts_save(), OK);
        again();
        assert_int_equal(mine.n, COUNTS_RECORDS_MAX);
    }
}

static void moments(void **state)
{
    (void)state;
    rt_time now = rt_now();
    int64_t wall = rt_wall_ms(), day = 86400000;
    assert_int_equal(counts_wall(0), 0);
    assert_int_equal(counts_moment(0), 0);
    assert_true(llabs((long long)(counts_moment(wall - 5000) - (now - 5 * RT_S))) < RT_S);
    assert_true(llabs((long long)(counts_wall(now + 60 * RT_S) - (wall + 60000))) < 1000);
    assert_true(counts_moment(wall + 5 * day) < now + 86401 * RT_S); /* the clock went back */
}

static int set_up(void **state)
{
    (void)state;
    dirfd_ = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY) : -1;
    return dirfd_ < 0;
}

static int tear_down(void **state)
{
    (void)state;
    counts_close();
    unlinkat(dirfd_, "counts.0", 0);
    unlinkat(dirfd_, "counts.1", 0);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cycles), cmocka_unit_test(torn), cmocka_unit_test(limits),
                                       cmocka_unit_test(moments)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
