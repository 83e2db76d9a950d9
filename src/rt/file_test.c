/* The real file table: whole writes of many vectors, reads at the end, names, errors. */
#include "rt/test_world.h"

#include <fcntl.h>

static char name[] = "/tmp/postrider-file-XXXXXX";
static int dir;

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(name))
        return -1;
    dir = open(name, O_RDONLY | O_DIRECTORY);
    return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    close(dir);
    return rmdir(name);
}

static int create(const char *path)
{
    int fd = -1;
    assert_int_equal(rt_fs->open(dir, path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd), OK);
    return fd;
}

static void test_vectors(void **state)
{
    (void)state;
    enum { N = 3000 };
    static struct iovec v[N];
    static char data[N * 5], back[sizeof data + 10];
    size_t n = 0, got;
    for (int i = 0; i < N; i++) {
        size_t len = (size_t)(i % 5); /* empty ones among them */
        v[i] = (struct iovec){data + n, len};
        for (size_t k = 0; k < len; k++)
            data[n++] = (char)(i * 7 + (int)k);
    }
    int fd = create("v");
    uint64_t size;
    assert_int_equal(rt_fs->pwritev(fd, v, N, 100), OK);
    assert_int_equal(rt_fs->pwritev(fd, v, 1, 0), OK);
    assert_int_equal(rt_fs->pwritev(fd, v, 0, 0), OK);
    assert_int_equal(rt_fs->size(fd, &size), OK);
    assert_int_equal(size, 100 + n);
    assert_int_equal(rt_fs->pread(fd, back, sizeof back, 100, &got), OK);
    assert_int_equal(got, n);
    assert_memory_equal(back, data, n);
    assert_int_equal(rt_fs->pread(fd, back, 10, 100 + n, &got), OK);
    assert_int_equal(got, 0);
    assert_int_equal(rt_fs->datasync(fd), OK);
    assert_int_equal(rt_fs->truncate(fd, 3), OK);
    assert_int_equal(rt_fs->allocate(fd, 0, 8192), OK);
    assert_int_equal(rt_fs->size(fd, &size), OK);
    assert_int_equal(size, 8192);
    rt_fs->close(fd);
    assert_int_equal(rt_fs->unlink(dir, "v"), OK);
}

static void test_errors(void **state)
{
    (void)state;
    int fd = -1;
    uint64_t size;
    struct iovec v = {(char[1]){0}, 1};
    assert_int_equal(rt_fs->open(dir, "none", O_RDONLY, 0, &fd), E_NOT_FOUND);
    assert_int_equal(fd, -1);
    fd = create("x");
    assert_int_equal(rt_fs->open(dir, "x", O_RDWR | O_CREAT | O_EXCL, 0600, &fd), E_EXISTS);
    rt_fs->close(fd);
    assert_int_equal(rt_fs->unlink(dir, "x"), OK);
    assert_int_equal(rt_fs->open(AT_FDCWD, "/dev/full", O_WRONLY, 0, &fd), OK);
    assert_int_equal(rt_fs->pwritev(fd, &v, 1, 0), E_DISK_FULL);
    rt_fs->close(fd);
    assert_int_equal(rt_fs->size(-1, &size), E_IO);
    rt_fs->close(-1);
    assert_int_equal(rt_fs->space(dir, &size), OK);
    assert_true(size > 0);
    assert_int_equal(rt_fs->space(AT_FDCWD, &size), OK);
}

static void each(void *arg, const char *entry) { *(int *)arg += entry[0] == '.' ? 100 : 1; }

static void test_names(void **state)
{
    (void)state;
    int n = 0;
    rt_fs->close(create("a"));
    assert_int_equal(rt_fs->mkdir(dir, "d", 0700), OK);
    assert_int_equal(rt_fs->mkdir(dir, "d", 0700), E_EXISTS);
    assert_int_equal(rt_fs->rename(dir, "a", dir, "d/b"), OK);
    assert_int_equal(rt_fs->link(dir, "d/b", dir, "c"), OK);
    assert_int_equal(rt_fs->link(dir, "d/b", dir, "c"), E_EXISTS);
    assert_int_equal(rt_fs->sync(dir), OK);
    assert_int_equal(rt_fs->list(dir, ".", each, &n), OK);
    assert_int_equal(n, 2);
    assert_int_equal(rt_fs->list(dir, "none", each, &n), E_NOT_FOUND);
    assert_int_equal(rt_fs->unlink(dir, "c"), OK);
    assert_int_equal(rt_fs->unlink(dir, "c"), E_NOT_FOUND);
    assert_int_equal(rt_fs->unlink(dir, "d/b"), OK);
    assert_int_equal(unlinkat(dir, "d", AT_REMOVEDIR), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
