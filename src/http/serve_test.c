/* What a server answers to each kind of question, and how long it waits for one. */
#include "base/cleanup.h"
#include "http/http.h"
#include "net/test_pair.h"

#include "base/test.h"

static void answer(void *arg, const struct http1_request *r, struct http_reply *ret)
{
    (void)arg;
    if (str_eq(r->path, S("/large")))
        for (int i = 0; i < HTTP_REPLY_MAX / 8 + 1; i++)
            buf_add_c(ret->body, "01234567");
    else if (!str_eq(r->path, S("/page")))
        return;
    ret->status = 200;
    buf_printf(ret->body, "host=" STR_FMT " query=" STR_FMT "\n", STR_ARG(r->host), STR_ARG(r->query));
}

static int status;

static void serve(struct conn *c, void *arg)
{
    (void)arg;
    status = http_serve_one(c, answer, NULL);
}

/* Everything that comes back. */
static void ask(str octets, struct buf *out, int piece)
{
    struct pair p;
    str got;
    pair_open(&p, serve, NULL);
    buf_clear(out);
    for (size_t i = 0; i < octets.n; i += (size_t)piece) {
        CHECK(conn_write(&p.a, str_sub(octets, i, i + (size_t)piece)) == OK);
        CHECK(conn_flush(&p.a) == OK);
        if (piece == 1)
            CHECK(fiber_sleep(rt_now()) == OK);
    }
    while (conn_peek(&p.a, &got) == OK) {
        buf_add(out, got);
        conn_took(&p.a, got.n);
    }
    conn_close(&p.a);
    pair_close(&p);
}

static const struct row {
    const char *octets;
    int status;
    const char *body; /* NULL: the line with the status */
} rows[] = {
    {"GET /page HTTP/1.1\r\nHost: A.Test:8443\r\n\r\n", 200, "host=A.Test query=\n"},
    {"GET /page?a=b HTTP/1.1\r\nHost: a.test.\r\n\r\n", 200, "host=a.test query=a=b\n"},
    {"\r\nGET /page HTTP/1.1\nHost: [::1]:80\n\n", 200, "host=[::1] query=\n"},
    {"GET https://b.test/page HTTP/1.1\r\nHost: a.test\r\n\r\n", 200, "host=b.test query=\n"},
    {"GET /page HTTP/1.0\r\n\r\n", 200, "host= query=\n"},
    {"HEAD /page HTTP/1.1\r\nHost: a\r\n\r\n", 200, ""},
    {"GET /other HTTP/1.1\r\nHost: a\r\n\r\n", 404, NULL},
    {"GET /page/ HTTP/1.1\r\nHost: a\r\n\r\n", 404, NULL},
    {"GET /%70age HTTP/1.1\r\nHost: a\r\n\r\n", 404, NULL},
    {"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405, NULL},
    {"GET /page HTTP/1.1\r\n\r\n", 200, "host= query=\n"},
    {"GET /page HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, NULL},
    {"GET /page HTTP/1.1\r\nHost : a\r\n\r\n", 400, NULL},
    {"GET /page HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400, NULL},
    {"GET /page\r\n\r\n", 400, NULL},
    {"GET  /page HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
    {"G@T /page HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
    {"GET /p\x01ge HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
    {"GET /page HTTP/2.0\r\nHost: a\r\n\r\n", 505, NULL},
    {"EHLO client.test\r\n\r\n", 400, NULL},
    {"\x16\x03\x01\x02\n", 400, NULL},
    {"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", 500, NULL},
};

static void check_row(const struct row *r, int piece)
{
    char want[64];
    AUTO_BUF out = {.max = 1 << 20};
    ask(str_c(r->octets), &out, piece);
    snprintf(want, sizeof want, "HTTP/1.1 %d ", r->status);
    bool head = str_starts(buf_str(&out), str_c(want));
    snprintf(want, sizeof want, "\r\n\r\n%d ", r->status);
    if (!head ||
        !(r->body ? str_ends(buf_str(&out), str_c(r->body)) : str_search(buf_str(&out), str_c(want)) != STR_NONE))
        fprintf(stderr, "%s -> " STR_FMT "\n", r->octets, STR_ARG(buf_str(&out)));
    CHECK(head);
    CHECK(r->body ? str_ends(buf_str(&out), str_c(r->body)) : str_search(buf_str(&out), str_c(want)) != STR_NONE);
    CHECK(status == r->status);
}

/* A target and a head at their limits, and one octet beyond. */
static void limits(void)
{
    AUTO_BUF q = {.max = 1 << 20};
    AUTO_BUF out = {.max = 1 << 20};
    for (int over = 0; over < 2; over++) {
        buf_clear(&q);
        buf_add_c(&q, "GET /page?");
        for (int i = 6; i < HTTP1_TARGET_MAX + over; i++)
            buf_add_char(&q, 'x');
        buf_add_c(&q, " HTTP/1.1\r\nHost: a\r\n\r\n");
        ask(buf_str(&q), &out, 4096);
        CHECK(status == (over ? 414 : 200));
        buf_clear(&q);
        buf_add_c(&q, "GET /page HTTP/1.1\r\nHost: a\r\nX: ");
        while (q.n < (size_t)HTTP1_HEAD_MAX + (size_t)over - 2)
            buf_add_char(&q, 'x');
        buf_add_c(&q, "\r\n\r\n");
        ask(buf_str(&q), &out, 4096);
        CHECK(status == (over ? 431 : 200));
        buf_clear(&q);
        buf_add_c(&q, "GET /page HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < HTTP1_FIELDS_MAX + over; i++)
            buf_add_c(&q, "X: y\r\n");
        buf_add_c(&q, "\r\n");
        ask(buf_str(&q), &out, 4096);
        CHECK(status == (over ? 431 : 200));
    }
}

/* Somebody who says half a question and then nothing, who says nothing, and who leaves. */
static void slow(void)
{
    struct pair p;
    str line;
    rt_time begin = rt_now();
    pair_open(&p, serve, NULL);
    conn_write(&p.a, S("GET /page HTTP/1.1\r\nHost: a"));
    CHECK(conn_flush(&p.a) == OK);
    CHECK(conn_readline(&p.a, 100, &line, NULL) == OK && says(line, "HTTP/1.1 408 Request Timeout"));
    CHECK(rt_now() - begin >= HTTP_SERVE_TIME);
    conn_close(&p.a);
    pair_close(&p);
    pair_open(&p, serve, NULL);
    conn_close(&p.a);
    pair_close(&p);
    CHECK(status == 0);
}

static void run(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_row(&rows[i], 4096);
        if (i < 3)
            check_row(&rows[i], 1);
    }
    limits();
    slow();
    rt_stop();
}

static void begin(void *arg, int index)
{
    (void)arg;
    (void)index;
    CHECK(fiber_spawn(run, NULL, "run") != NULL);
}

static void answers(void **state)
{
    (void)state;
    world(1, begin);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
