/* A stand-in for clamd: what it is sent, its answers, and its ways to fail. */
#include "net/test_listen.h"
#include "scan/clamd.c"

#include <sys/un.h>

#include "base/test.h"

static struct {
    struct io listener;
    char address[120];
    const char *answer; /* NULL: close */
    bool stall, early;  /* no answer; the answer after the first piece */
    char heard[1000];
    size_t n, pieces;
} server;

static bool take(struct conn *c, void *p, size_t n)
{
    for (size_t got; n; n -= got, p = (char *)p + got)
        if (conn_read(c, p, n, &got) != OK || got == 0)
            return false;
    return true;
}

static void talk(struct conn *c)
{
    char word[10];
    unsigned char size[4];
    server.n = server.pieces = 0;
    if (!take(c, word, 10) || memcmp(word, "zINSTREAM", 10) != 0)
        return;
    while (take(c, size, 4)) {
        size_t n = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
        if (n == 0 || (server.early && server.pieces))
            break;
        CHECK(server.n + n <= sizeof server.heard);
        if (!take(c, server.heard + server.n, n))
            return;
        server.n += n;
        server.pieces++;
    }
    if (server.answer)
        conn_write(c, str_mem(server.answer, strlen(server.answer) + 1));
    if (server.stall)
        fiber_sleep(rt_after(RT_S));
}

static void serve(void *arg)
{
    (void)arg;
    struct sockaddr_storage peer;
    int fd;
    while (io_accept(&server.listener, &fd, &peer) == OK) {
        struct conn c;
        CHECK(conn_init(&c, fd, &peer) == OK);
        c.deadline = rt_after(10 * RT_S);
        talk(&c);
        conn_end(&c);
    }
}

static err read_text(void *arg, uint64_t at, str *ret)
{
    *ret = str_sub(*(const str *)arg, (size_t)at, (size_t)at + 4);
    return OK;
}

static err ask(str message, uint64_t most, struct clamd_answer *ret) YIELDS;
static err ask(str message, uint64_t most, struct clamd_answer *ret)
{
    const struct clamd_question q = {.address = str_c(server.address),
                                     .most = most,
                                     .deadline = rt_after(200 * RT_MS),
                                     .octets = {message.n, read_text, &message}};
    char mem[200];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    *ret = (struct clamd_answer){0};
    err e = clamd_ask(&q, ret, &why);
    CHECK((e != OK) == (why.n > 0));
    return e;
}

static void cases(void *arg)
{
    (void)arg;
    struct clamd_answer r;
    server.answer = "stream: OK";
    CHECK(ask(S("hello world"), 100, &r) == OK && !r.found && !r.cut);
    CHECK(server.n == 11 && server.pieces == 3 && memcmp(server.heard, "hello world", 11) == 0);
    CHECK(ask(S("hello world"), 11, &r) == OK && !r.cut && server.n == 11);
    CHECK(ask(S("hello world"), 10, &r) == OK && r.cut && server.n == 10);
    CHECK(ask(S(""), 10, &r) == OK && server.n == 0);
    server.answer = "stream: Eicar Test\x01 FOUND";
    CHECK(ask(S("hello"), 100, &r) == OK && r.found && strcmp(r.name, "Eicar?Test?") == 0);
    server.answer = "INSTREAM size limit exceeded. ERROR";
    server.early = true;
    CHECK(ask(S("hello world"), 100, &r) == E_LIMIT && !r.found);
    server.early = false;
    server.answer = "stream: Can't open file ERROR";
    CHECK(ask(S("hello"), 100, &r) == E_PROTOCOL);
    server.answer = "";
    CHECK(ask(S("hello"), 100, &r) == E_PROTOCOL);
    server.answer = NULL;
    CHECK(ask(S("hello"), 100, &r) == E_CLOSED);
    server.stall = true;
    CHECK(ask(S("hello"), 100, &r) == E_TIMEOUT);
    io_close(&server.listener);
    snprintf(server.address, sizeof server.address, "/nowhere/clamd.ctl");
    CHECK(ask(S("hello"), 100, &r) != OK);
    rt_stop();
}

static void begin(void *arg, int index)
{
    (void)arg;
    (void)index;
    snprintf(server.address, sizeof server.address, "127.0.0.1:%u", test_listen(&server.listener, serve));
    CHECK(fiber_spawn(cases, NULL, "cases") != NULL);
}

static void answers(void **state)
{
    (void)state;
    world(1, begin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
