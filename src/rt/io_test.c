/* Sockets under fibers: data, ends, deadlines, cancellation, pressure, accept and connect. */
#include "rt/test_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct io a, b;

static void pair(void)
{
    int sv[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) == 0);
    CHECK(io_attach(&a, sv[0]) == OK && io_attach(&b, sv[1]) == OK);
}

static void unpair(void)
{
    io_close(&a);
    io_close(&b);
    io_close(&b);
    CHECK(a.fd == -1 && b.fd == -1);
}

static err put(struct io *io, const char *z)
{
    size_t n = 0;
    struct iovec v[2] = {{(void *)(uintptr_t)z, 1}, {(void *)(uintptr_t)(z + 1), strlen(z) - 1}};
    err e = io_write(io, v, 2, rt_after(RT_S), &n);
    CHECK(e || n == strlen(z));
    return e;
}

static bool got(struct io *io, const char *z)
{
    char p[64];
    size_t n = 0;
    return io_read(io, p, sizeof p, rt_after(RT_S), &n) == OK && str_eq(str_mem(p, n), str_c(z));
}

static void echo(void *arg)
{
    (void)arg;
    char p[64];
    size_t n;
    while (io_read(&b, p, sizeof p, rt_after(RT_S), &n) == OK && n) {
        struct iovec v = {p, n};
        CHECK(io_write(&b, &v, 1, rt_after(RT_S), &n) == OK);
    }
    io_shutdown(&b);
}

static void echo_init(void *arg, int index)
{
    (void)arg, (void)index;
    char p[8];
    size_t n;
    pair();
    CHECK(io_try_read(&a, p, sizeof p, &n) == E_AGAIN);
    CHECK(io_wait_read(&a, rt_after(5 * RT_MS)) == E_TIMEOUT);
    CHECK(fiber_spawn(echo, NULL, "echo"));
    for (int i = 0; i < 1000; i++) {
        CHECK(put(&a, "hello") == OK);
        CHECK(got(&a, "hello"));
    }
    io_shutdown(&a);
    CHECK(io_read(&a, p, sizeof p, rt_after(RT_S), &n) == OK && n == 0); /* the end, again and again */
    CHECK(io_read(&a, p, sizeof p, rt_after(RT_S), &n) == OK && n == 0);
    CHECK(put(&a, "xy") == E_RESET);
    unpair();
    CHECK(io_read(&a, p, sizeof p, rt_after(RT_S), &n) == E_RESET);
    CHECK(io_try_write(&a, NULL, 0, &n) == E_RESET);
    rt_stop();
}

static void test_echo(void **state)
{
    (void)state;
    world(1, echo_init);
}

static void canceller(void *arg)
{
    fiber_sleep(rt_after(3 * RT_MS));
    fiber_cancel(arg);
}

static void closer(void *arg)
{
    fiber_sleep(rt_after(3 * RT_MS));
    io_close(arg);
}

static void deadline_init(void *arg, int index)
{
    (void)arg, (void)index;
    char p[8];
    size_t n;
    pair();
    rt_time begin = rt_now();
    CHECK(io_read(&a, p, sizeof p, rt_after(10 * RT_MS), &n) == E_TIMEOUT);
    CHECK(rt_now() - begin >= 10 * RT_MS);
    CHECK(put(&b, "late") == OK);
    fiber_sleep(rt_after(RT_MS));
    CHECK(io_read(&a, p, sizeof p, rt_now(), &n) == E_TIMEOUT); /* absolute: data does not help */
    CHECK(got(&a, "late"));
    CHECK(fiber_spawn(closer, &a, "closer"));
    CHECK(io_read(&a, p, sizeof p, RT_NEVER, &n) == E_RESET);
    unpair();
    pair();
    CHECK(fiber_spawn(canceller, fiber_self(), "canceller"));
    CHECK(io_read(&a, p, sizeof p, RT_NEVER, &n) == E_CANCELLED);
    CHECK(io_wait_write(&a, RT_NEVER) == E_CANCELLED);
    fiber_shield(true);
    CHECK(put(&b, "more") == OK);
    CHECK(got(&a, "more"));
    unpair();
    rt_stop();
}

static void test_deadline(void **state)
{
    (void)state;
    world(1, deadline_init);
}

enum { BULK = 4 << 20 };

static void drink(void *arg)
{
    static char p[100000];
    size_t all = 0, n = 1;
    while (io_read(&b, p, sizeof p, rt_after(5 * RT_S), &n) == OK && n) {
        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == (char)((all + i) % 251));
        all += n;
    }
    CHECK(all == BULK);
    *(bool *)arg = true;
    rt_stop();
}

static void bulk_init(void *arg, int index)
{
    (void)arg, (void)index;
    static bool done;
    char *p = malloc(BULK);
    for (size_t i = 0; i < BULK; i++)
        p[i] = (char)(i % 251);
    pair();
    size_t n, at = 0;
    bool blocked = false;
    while (!blocked) {
        struct iovec v = {p + at, BULK - at};
        err e = io_try_write(&a, &v, 1, &n);
        blocked = e == E_AGAIN;
        at += e ? 0 : n;
    }
    CHECK(io_wait_write(&a, rt_after(3 * RT_MS)) == E_TIMEOUT);
    CHECK(fiber_spawn(drink, &done, "drink"));
    for (; at < BULK; at += n) {
        struct iovec v[3] = {{p + at, 0}, {p + at, 1}, {p + at + 1, BULK - at - 1}};
        CHECK(io_write(&a, v, 3, rt_after(5 * RT_S), &n) == OK);
    }
    io_close(&a);
    free(p);
}

static void test_bulk(void **state)
{
    (void)state;
    world(1, bulk_init);
}

/* A fiber whose socket is always ready lets others run. */
static bool other_ran;

static void other(void *arg)
{
    (void)arg;
    other_ran = true;
}

static void fair_init(void *arg, int index)
{
    (void)arg, (void)index;
    pair();
    CHECK(fiber_spawn(other, NULL, "other"));
    for (int i = 0; i < 500 && !other_ran; i++) {
        char c;
        size_t n;
        struct iovec v = {&c, 1};
        CHECK(io_write(&a, &v, 1, rt_after(RT_S), &n) == OK);
        CHECK(i < 200);
    }
    unpair();
    rt_stop();
}

static void test_fair(void **state)
{
    (void)state;
    world(1, fair_init);
}

static struct sockaddr_in server;

static void client(void *arg)
{
    (void)arg;
    struct io c;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(io_connect(&c, (struct sockaddr *)&server, sizeof server, (struct sockaddr *)&from, sizeof from,
                     rt_after(RT_S)) == OK);
    CHECK(put(&c, "ping") == OK);
    CHECK(got(&c, "pong"));
    CHECK(put(&c, "bye!") == OK);
    io_close(&c);
}

static void tcp_init(void *arg, int index)
{
    (void)arg, (void)index;
    int fd, conn;
    struct io l, s;
    struct sockaddr_storage at, peer;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(rt_listen((struct sockaddr *)&server, sizeof server, false, 8, &fd) == OK);
    CHECK(io_attach(&l, fd) == OK);
    CHECK(io_address(&l, false, &at) == OK);
    memcpy(&server, &at, sizeof server);
    CHECK(rt_listen((struct sockaddr *)&server, sizeof server, false, 8, &fd) == E_EXISTS);
    CHECK(rt_listen((struct sockaddr *)&server, sizeof server, false, -1, &fd) == E_EXISTS);
    CHECK(fiber_spawn(client, NULL, "client"));
    CHECK(io_accept(&l, &conn, &peer) == OK);
    CHECK(peer.ss_family == AF_INET && ((struct sockaddr_in *)&peer)->sin_port != 0);
    CHECK(io_attach(&s, conn) == OK && s.tcp);
    CHECK(io_address(&s, true, &at) == OK && memcmp(&at, &peer, sizeof(struct sockaddr_in)) == 0);
    CHECK(got(&s, "ping"));
    CHECK(put(&s, "pong") == OK);
    fiber_sleep(rt_after(5 * RT_MS)); /* data and end arrive together */
    CHECK(got(&s, "bye!"));
    CHECK(got(&s, ""));
    io_close(&s);
    io_close(&l);
    CHECK(io_connect(&s, (struct sockaddr *)&server, sizeof server, NULL, 0, rt_after(RT_S)) == E_REFUSED);
    CHECK(s.fd == -1);
    CHECK(rt_listen((struct sockaddr *)&server, sizeof server, false, -1, &fd) == OK); /* bound, not listening */
    CHECK(io_connect(&s, (struct sockaddr *)&server, sizeof server, NULL, 0, rt_after(RT_S)) == E_REFUSED);
    close(fd);
    CHECK(io_accept(&l, &conn, &peer) == E_RESET);
    rt_stop();
}

static void test_tcp(void **state)
{
    (void)state;
    world(1, tcp_init);
}

static void accept_init(void *arg, int index)
{
    (void)arg, (void)index;
    int fd;
    struct io l;
    struct sockaddr_storage peer;
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "\0postrider-io-test"};
    CHECK(rt_listen((struct sockaddr *)&at, sizeof at, false, 8, &fd) == OK);
    CHECK(io_attach(&l, fd) == OK && !l.tcp);
    CHECK(fiber_spawn(canceller, fiber_self(), "canceller"));
    CHECK(io_accept(&l, &fd, &peer) == E_CANCELLED);
    fiber_shield(true);
    CHECK(io_connect(&a, (struct sockaddr *)&at, sizeof at, NULL, 0, rt_after(RT_S)) == OK);
    CHECK(io_accept(&l, &fd, &peer) == OK);
    io_close(&l);
    rt_stop();
}

static void test_accept_cancel(void **state)
{
    (void)state;
    world(1, accept_init);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo), cmocka_unit_test(test_deadline), cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_fair), cmocka_unit_test(test_tcp),      cmocka_unit_test(test_accept_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
