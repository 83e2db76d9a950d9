/* The history from end to end: written by the log's tap, found raw and finished, bounded, damaged, asked in a server.
 */
#include "rt/test_world.h"

#include "base/cleanup.h"
#include "history/internal.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[64];

static struct history *open_it(int64_t max_size)
{
    struct history *h = NULL;
    struct history_config c = {AT_FDCWD, folder, max_size, 86400 * RT_S};
    assert_int_equal(history_open(&h, &c), OK);
    return h;
}

static void accepted(uint64_t id, const char *from, const char *to)
{
    rt_log(EV_accepted, log_id(id), log_num(7), log_c("192.0.2.1"), log_c("helo.test"), log_c(from), log_c(to),
           log_num(1000), log_c("<m@x>"), log_c("ESMTP"));
}
static void delivered(uint64_t id, const char *from, const char *to)
{
    rt_log(EV_delivered, log_id(id), log_c(from), log_c(to), log_c("mx.test"), log_c("250 ok \"q\""), log_num(3),
           log_c(""));
}

struct found {
    struct buf text;
    size_t n, notes;
    int64_t last_ms;
};
static bool each(void *arg, const struct history_event *e)
{
    struct found *f = arg;
    buf_add(&f->text, e->name);
    buf_printf(&f->text, ":%llu ", (unsigned long long)e->id);
    f->n++;
    f->last_ms = e->ms;
    return true;
}
static void note(void *arg, const char *file, const char *why)
{
    (void)file;
    (void)why;
    ((struct found *)arg)->notes++;
}

static err ask(struct found *f, const struct history_query *q)
{
    buf_free(&f->text);
    *f = (struct found){0};
    buf_init(&f->text, 1 << 20);
    struct history_answer a = {each, note, f};
    err e = history_find(AT_FDCWD, folder, q, &a);
    buf_add_char(&f->text, 0);
    return e;
}

static void count_files(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
}
static int files(void)
{
    int n = 0;
    assert_int_equal(rt_fs->list(AT_FDCWD, folder, count_files, &n), OK);
    return n;
}

static void check_queries(void)
{
    struct found f = {0};
    uint64_t one = 11, two[] = {13, 12}, none = 99;
    static const struct {
        const char *address, *found;
    } addresses[] = {{"a@x.test", "delivered:13 accepted:13 delivered:11 accepted:11 "},
                     {"A@X.Test", "delivered:13 accepted:13 delivered:11 accepted:11 "},
                     {"<c@x.test>", "accepted:12 "},
                     {"new@x.test", "expanded:12 "},
                     {"nobody@x.test", ""}};
    assert_int_equal(ask(&f, &(struct history_query){.ids = &one, .nids = 1}), OK);
    assert_string_equal(f.text.p, "delivered:11 accepted:11 ");
    assert_int_equal(ask(&f, &(struct history_query){.ids = two, .nids = 2}), OK);
    assert_string_equal(f.text.p, "delivered:13 accepted:13 expanded:12 accepted:12 ");
    assert_int_equal(ask(&f, &(struct history_query){.ids = &none, .nids = 1}), OK);
    assert_string_equal(f.text.p, "");
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        assert_int_equal(ask(&f, &(struct history_query){.address = str_c(addresses[i].address)}), OK);
        assert_string_equal(f.text.p, addresses[i].found);
    }
    enum event only[] = {EV_expanded, EV_accepted};
    assert_int_equal(ask(&f, &(struct history_query){.events = only, .nevents = 2, .limit = 2}), OK);
    assert_string_equal(f.text.p, "accepted:13 expanded:12 ");
    assert_int_equal(ask(&f, &(struct history_query){0}), OK);
    assert_int_equal(f.n, 6);
    int64_t last = f.last_ms; /* of the oldest */
    assert_int_equal(ask(&f, &(struct history_query){.from_ms = last, .to_ms = last + 3600000}), OK);
    assert_int_equal(f.n, 6);
    assert_int_equal(ask(&f, &(struct history_query){.to_ms = last}), OK);
    assert_int_equal(f.n, 0);
    assert_int_equal(ask(&f, &(struct history_query){.from_ms = last + 3600000}), OK);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.notes, 0);
    buf_free(&f.text);
}

static void written_and_found(void **state)
{
    (void)state;
    struct history *h = open_it(1 << 30);
    accepted(11, "a@x.test", "b@x.test");
    delivered(11, "a@x.test", "b@x.test");
    accepted(12, "c@x.test", "d@x.test");
    rt_log(EV_expanded, log_id(12), log_c("d@x.test"), log_c("New@x.test"));
    rt_log(EV_stop, log_c("not about a message"));
    accepted(13, "", "A@x.test");
    delivered(13, "", "<A@x.test>");
    history_close(&h);
    assert_null(h);
    delivered(11, "a@x.test", "b@x.test"); /* nobody listens */
    assert_int_equal(files(), 1);
    check_queries(); /* in the raw segment */
    h = open_it(1 << 30);
    history_close(&h);
    assert_int_equal(files(), 1);
    check_queries(); /* in the finished one */
}

static bool print_one(void *arg, const struct history_event *e)
{
    struct history_event x = *e;
    x.ms = 1700000000123;
    history_print(arg, &x, false);
    history_print(arg, &x, true);
    return false;
}

static void printed(void **state)
{
    (void)state;
    struct history *h = open_it(1 << 30);
    delivered(1, "", "b=\xff@x.test");
    history_close(&h);
    AUTO_BUF out;
    buf_init(&out, 4096);
    struct history_answer a = {.each = print_one, .arg = &out};
    assert_int_equal(history_find(AT_FDCWD, folder, &(struct history_query){0}, &a), OK);
    buf_add_char(&out, 0);
    assert_string_equal(out.p,
                        "2023-11-14T22:13:20.123Z delivered id=0000000000001 from=\"\" to=\"b=\\xff@x.test\" "
                        "via=mx.test reply=\"250 ok \\\"q\\\"\" delay=3 tls=\"\"\n"
                        "{\"time\":\"2023-11-14T22:13:20.123Z\",\"event\":\"delivered\",\"id\":\"0000000000001\","
                        "\"from\":\"\",\"to\":\"b=\xef\xbf\xbd@x.test\",\"via\":\"mx.test\","
                        "\"reply\":\"250 ok \\\"q\\\"\",\"delay\":3,\"tls\":\"\"}\n");
}

struct sizes {
    int64_t sum;
    int n;
};
static void add_size(void *arg, const char *name)
{
    struct sizes *s = arg;
    struct stat st;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &st), 0);
    s->sum += st.st_size;
    s->n++;
}

/* The writer is another thread: waits until it has this event on disk. */
static void wait_written(uint64_t id)
{
    struct found f = {0};
    do {
        usleep(2000);
        assert_int_equal(ask(&f, &(struct history_query){.ids = &id, .nids = 1}), OK);
    } while (!f.n);
    buf_free(&f.text);
}

static void bounded(void **state)
{
    (void)state;
    enum { EVENTS = 40000, MAX = 1 << 20 };
    struct history *h = open_it(MAX);
    char address[64];
    int64_t lost = metric_read(M_history_lost);
    for (uint64_t i = 1; i <= EVENTS; i++) {
        snprintf(address, sizeof address, "user%llu.%llx@example.test", (unsigned long long)i,
                 (unsigned long long)(i * 0x9e3779b97f4a7c15u));
        delivered(i, "sender@x.test", address);
        if (i % 1000 == 0)
            wait_written(i);
    }
    history_close(&h);
    struct sizes s = {0};
    assert_int_equal(rt_fs->list(AT_FDCWD, folder, add_size, &s), OK);
    assert_in_range(s.sum, MAX / 4, MAX);
    assert_in_range(s.n, 3, 100);
    assert_int_equal(metric_read(M_history_lost), lost);
    struct found f = {0};
    uint64_t first = 1, last = EVENTS;
    assert_int_equal(ask(&f, &(struct history_query){.ids = &last, .nids = 1}), OK);
    assert_int_equal(f.n, 1);
    assert_int_equal(ask(&f, &(struct history_query){.address = str_c(address)}), OK);
    assert_int_equal(f.n, 1);
    assert_int_equal(ask(&f, &(struct history_query){.ids = &first, .nids = 1}), OK);
    assert_int_equal(f.n, 0); /* removed with the oldest segments */
    assert_int_equal(ask(&f, &(struct history_query){.address = S("sender@x.test"), .limit = 3000}), OK);
    assert_int_equal(f.n, 3000);
    size_t all = 0;
    assert_int_equal(ask(&f, &(struct history_query){0}), OK);
    all = f.n;
    assert_in_range(all, 3000, EVENTS - 1);
    assert_int_equal(ask(&f, &(struct history_query){.address = S("sender@x.test")}), OK);
    assert_int_equal(f.n, all); /* the index knows what a scan finds */
    assert_int_equal(f.notes, 0);
    buf_free(&f.text);
}

/* ---- damage ---- */

static char the_file[256];
static void keep_name(void *arg, const char *name)
{
    (void)arg;
    snprintf(the_file, sizeof the_file, "%s/%s", folder, name);
}

static void write_back(const char *bytes, size_t n)
{
    int fd = open(the_file, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, 0), n);
    assert_int_equal(ftruncate(fd, (off_t)n), 0); /* O_TRUNC would cost a sync on some file systems */
    close(fd);
}

static void damage_one(size_t events)
{
    static char whole[1 << 16], broken[1 << 16];
    struct found f = {0};
    uint64_t id = 5;
    rt_fs->list(AT_FDCWD, folder, keep_name, NULL);
    int fd = open(the_file, O_RDONLY);
    ssize_t size = read(fd, whole, sizeof whole);
    close(fd);
    assert_in_range(size, 1000, sizeof whole - 1);
    for (size_t n = 0; n < (size_t)size; n += 1 + n / 40) { /* cut */
        write_back(whole, n);
        assert_int_equal(ask(&f, &(struct history_query){0}), OK);
        assert_in_range(f.n, 0, events);
        assert_int_equal(ask(&f, &(struct history_query){.ids = &id, .nids = 1}), OK);
    }
    for (size_t at = 0; at < (size_t)size; at += 1 + at % 7) { /* one octet changed */
        memcpy(broken, whole, (size_t)size);
        broken[at] ^= 0x55;
        write_back(broken, (size_t)size);
        assert_int_equal(ask(&f, &(struct history_query){0}), OK);
        assert_in_range(f.n, 0, events);
        assert_int_equal(ask(&f, &(struct history_query){.ids = &id, .nids = 1}), OK);
        assert_int_equal(ask(&f, &(struct history_query){.address = S("to@x.test")}), OK);
    }
    memcpy(broken, whole, (size_t)size);
    broken[7] = 2; /* another version */
    write_back(broken, (size_t)size);
    assert_int_equal(ask(&f, &(struct history_query){0}), OK);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.notes, 1);
    write_back(whole, (size_t)size);
    buf_free(&f.text);
}

static void damaged(void **state)
{
    (void)state;
    struct history *h = open_it(1 << 30);
    for (uint64_t i = 1; i <= 30; i++)
        delivered(i, "from@x.test", "to@x.test");
    wait_written(30); /* so that the last one stands in a frame of its own */
    delivered(31, "from@x.test", "to@x.test");
    history_close(&h);
    damage_one(31);
    /* A hole in the middle of a raw segment hides the frame that it hits, not those behind it. */
    struct found f = {0};
    int fd = open(the_file, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0\0", 8, st.st_size / 2 + 1000), 8);
    close(fd);
    assert_int_equal(ask(&f, &(struct history_query){0}), OK);
    assert_in_range(f.n, 1, 30);
    uint64_t last = 31;
    assert_int_equal(ask(&f, &(struct history_query){.ids = &last, .nids = 1}), OK);
    assert_int_equal(f.n, 1);
    buf_free(&f.text);

    h = open_it(1 << 30);
    history_close(&h);
    assert_string_equal(the_file + strlen(the_file) - 4, ".raw");
    damage_one(31);
    assert_string_equal(the_file + strlen(the_file) - 4, ".seg");
}

static void put_aside(void **state)
{
    (void)state;
    struct found f = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/20260101000000000.raw", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "rubbish", 7), 7);
    close(fd);
    struct history_config c = {AT_FDCWD, folder, 1 << 30, (rt_time)86400 * 3650 * RT_S};
    struct history *h = NULL;
    assert_int_equal(history_open(&h, &c), OK);
    history_close(&h);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(files(), 1);
    assert_int_equal(ask(&f, &(struct history_query){0}), OK);
    assert_int_equal(f.notes, 1);
    buf_free(&f.text);
    h = open_it(1 << 30); /* a day: it is older */
    history_close(&h);
    assert_int_equal(files(), 0);
    assert_int_equal(
        history_find(AT_FDCWD, "/nonexistent/folder", &(struct history_query){0}, &(struct history_answer){each}),
        E_NOT_FOUND);
    uint64_t id = 1;
    assert_int_equal(ask(&f, &(struct history_query){.ids = &id, .nids = HISTORY_IDS_MAX + 1}), E_LIMIT);
    buf_free(&f.text);
}

/* ---- a full disk ---- */

static err full(int fd, const struct iovec *v, int nv, uint64_t at)
{
    (void)fd, (void)v, (void)nv, (void)at;
    return E_DISK_FULL;
}

static void disk_full(void **state)
{
    (void)state;
    struct rt_fs fs = rt_fs_real;
    int64_t lost = metric_read(M_history_lost), told = event_count(EV_history_failed);
    fs.pwritev = full;
    rt_fs = &fs;
    struct history *h = open_it(1 << 30);
    for (uint64_t i = 1; i <= 50; i++)
        delivered(i, "a@x.test", "b@x.test");
    history_close(&h);
    rt_fs = &rt_fs_real;
    assert_int_equal(metric_read(M_history_lost) - lost, 50);
    assert_int_equal(event_count(EV_history_failed) - told, 1);
    assert_int_equal(files(), 0);
}

/* ---- in a server ---- */

static struct history *server;
static int ready; /* atomic */

static void other_loop(void *arg)
{
    (void)arg;
    accepted(21, "other@x.test", "loop@x.test");
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
}

static void asking(void *arg)
{
    (void)arg;
    struct found f = {0};
    uint64_t ids[] = {20, 21};
    while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
        fiber_sleep(rt_after(RT_MS));
    buf_init(&f.text, 4096);
    for (int i = 0; i < 1000; i++)
        accepted(20, "this@x.test", "loop@x.test");
    struct history_answer a = {each, note, &f};
    CHECK(history_ask(server, &(struct history_query){.ids = ids, .nids = 2}, &a) == OK);
    CHECK(f.n == 1001 && f.notes == 0);
    f.n = 0;
    CHECK(history_ask(server, &(struct history_query){.address = S("other@x.test")}, &a) == OK);
    CHECK(f.n == 1);
    fiber_cancel(fiber_self());
    CHECK(history_settle(server) == E_CANCELLED);
    buf_free(&f.text);
    rt_stop();
}

static void start_loop(void *arg, int index) { fiber_spawn(index == 0 ? asking : other_loop, arg, "test"); }

static void in_a_server(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct history_config c = {AT_FDCWD, folder, 1 << 30, 86400 * RT_S};
        struct rt_start s = {.nloops = 2, .npool = 1, .init = start_loop, .drain = 5 * RT_S};
        CHECK(history_open(&server, &c) == OK);
        CHECK(rt_run(&s) == OK);
        history_close(&server);
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void remove_one(void *arg, const char *name)
{
    (void)arg;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}
static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/history-test-XXXXXX");
    rt_log_setup(LOG_ERROR, false, 2);
    return mkdtemp(folder) ? 0 : -1;
}
static int end(void **state)
{
    (void)state;
    rt_fs_real.list(AT_FDCWD, folder, remove_one, NULL);
    return rmdir(folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {TEST(written_and_found), TEST(printed),   TEST(bounded),    TEST(damaged),
                                       TEST(put_aside),         TEST(disk_full), TEST(in_a_server)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
