/* Answers of HTTP servers: bodies of each kind, limits, what is refused. */
#include "base/buf.h"
#include "base/test.h"
#include "wire/http1.h"

static const struct row {
    const char *octets;
    bool ended;
    err e;
    int status;
    const char *body;
} rows[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, OK, 200, "hello"},
    {"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhelloxx", false, OK, 200, "hello"},
    {"HTTP/1.1 200\nContent-Length: 2\n\nhi", false, OK, 200, "hi"},
    {"HTTP/1.0 404 Not Found\r\n\r\ngone", true, OK, 404, "gone"},
    {"HTTP/1.0 404 Not Found\r\n\r\ngone", false, E_AGAIN, 0, NULL},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, OK, 204, ""},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false, OK, 201, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", false, OK, 200,
     "hello!"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", false, OK, 200,
     "0123456789"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", false, E_AGAIN, 0, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", true, E_RESET, 0, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", true, E_SYNTAX, 0, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", true, E_SYNTAX, 0, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", true, E_LIMIT, 0, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", true, E_SYNTAX, 0, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true, E_RESET, 0, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", true, E_SYNTAX, 0, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", true, E_SYNTAX, 0, NULL},
    {"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", true, E_SYNTAX, 0, NULL},
    {"HTTP/2 200\r\n\r\n", true, E_SYNTAX, 0, NULL},
    {"ICY 200 OK\r\n\r\n", true, E_SYNTAX, 0, NULL},
    {"", true, E_RESET, 0, NULL},
    {"HTTP/1.1 2", false, E_AGAIN, 0, NULL},
};

static void answers(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http1_answer r = {0};
        err e = http1_answer(str_c(rows[i].octets), rows[i].ended, false, &a, &r);
        if (e != rows[i].e || r.status != rows[i].status)
            print_message("row %zu\n", i);
        assert_int_equal(e, rows[i].e);
        assert_int_equal(r.status, rows[i].status);
        if (rows[i].body)
            assert_str(r.body, rows[i].body);
        arena_reset(&a);
    }
    struct http1_answer r;
    assert_int_equal(http1_answer(S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), false, true, &a, &r), OK);
    assert_str(http1_field(&r, S("content-LENGTH")), "9");
    assert_null(http1_field(&r, S("Date")).p);
    arena_free(&a);
}

static void limits(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct http1_answer r;
    arena_init(&a, 4096, 1 << 20);
    buf_init(&b, 1 << 20);
    for (int more = 0; more < 2; more++) {
        buf_clear(&b);
        buf_add_c(&b, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < HTTP1_FIELDS_MAX + more; i++)
            buf_add_c(&b, "A: b\r\n");
        buf_add_c(&b, "\r\n");
        assert_int_equal(http1_answer(buf_str(&b), true, false, &a, &r), more ? E_LIMIT : OK);
    }
    buf_clear(&b);
    buf_add_c(&b, "HTTP/1.1 200 OK\r\nA: ");
    for (int i = 0; i < HTTP1_HEAD_MAX; i++)
        buf_add_char(&b, 'x');
    assert_int_equal(http1_answer(buf_str(&b), false, false, &a, &r), E_LIMIT);
    buf_clear(&b);
    for (int i = 0; i <= HTTP1_INTERIM_MAX; i++)
        buf_add_c(&b, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(http1_answer(buf_str(&b), false, false, &a, &r), E_LIMIT);
    buf_free(&b);
    arena_free(&a);
}

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        err e;
        const char *method, *host, *path, *query;
    } asked[] = {
        {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", OK, "GET", "a.test", "/", ""},
        {"\r\nGET /a?b?c HTTP/1.0\r\n\r\n", OK, "GET", "", "/a", "b?c"},
        {"HEAD http://b.test:80/x HTTP/1.1\nHost: a.test\n\n", OK, "HEAD", "b.test", "/x", ""},
        {"GET http://b.test HTTP/1.1\r\nHost: a.test\r\n\r\n", OK, "GET", "b.test", "", ""},
        {"GET /? HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", OK, "GET", "[::1]", "/", ""},
        {"GET / HTTP/1.1\r\nHost: a.test", E_AGAIN},
        {"GET / HTTP/1.1\r\nHost: a.test\r\n", E_AGAIN},
        {"", E_AGAIN},
        {"\r\n\r\nGET / HTTP/1.1\r\n\r\n", E_SYNTAX},
        {"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", E_SYNTAX},
        {"GET / HTTP/1.1\r\n: a\r\n\r\n", E_SYNTAX},
        {"GET / http/1.1\r\n\r\n", E_SYNTAX},
        {"GET / HTTP/1.11\r\n\r\n", E_SYNTAX},
        {"GET / HTTP/3.0\r\n\r\n", E_UNSUPPORTED},
        {" GET / HTTP/1.1\r\n\r\n", E_SYNTAX},
        {"GET /\t HTTP/1.1\r\n\r\n", E_SYNTAX},
        {"GET\r\n\r\n", E_SYNTAX},
    };
    struct arena a;
    struct http1_request r;
    arena_init(&a, 16384, 1 << 20);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        assert_int_equal(http1_request(str_c(asked[i].octets), &a, &r), asked[i].e);
        if (asked[i].e)
            continue;
        assert_str(r.method, asked[i].method);
        assert_str(r.host, asked[i].host);
        assert_str(r.path, asked[i].path);
        assert_str(r.query, asked[i].query);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(limits), cmocka_unit_test(requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
