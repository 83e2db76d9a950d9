/* Addresses, and answers of every form from a server at the other end of a socket pair. */
#include "net/test_pair.h"

#include "acme/https.c"

static void test_url(void **state)
{
    (void)state;
    static const struct {
        const char *in, *host, *path;
        unsigned port; /* 0: none */
    } cases[] = {
        {"https://ca.test/dir", "ca.test", "/dir", 443},
        {"https://ca.test", "ca.test", "/", 443},
        {"https://ca.test:14000/a/b?c=d", "ca.test", "/a/b?c=d", 14000},
        {"https://[::1]:9/x", "::1", "/x", 9},
        {"https://[::1]/x", "::1", "/x", 443},
        {"http://ca.test/", "", "", 0},
        {"https://", "", "", 0},
        {"https:///x", "", "", 0},
        {"https://ca.test:0/", "", "", 0},
        {"https://ca.test:65536/", "", "", 0},
        {"https://ca.test:x/", "", "", 0},
        {"https://ca.test:/", "", "", 0},
        {"https://[::1/", "", "", 0},
        {"https://[::1]x/", "", "", 0},
        {"https://u@ca.test/", "", "", 0},
        {"https://ca.test/a b", "", "", 0},
        {"https://ca.test/a\r\nX: y", "", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct https_url u;
        bool ok = https_url_parse(str_c(cases[i].in), &u);
        if (ok != (cases[i].port != 0))
            fprintf(stderr, "%s\n", cases[i].in);
        assert_int_equal(ok, cases[i].port != 0);
        assert_true(!ok || (str_eq(u.host, str_c(cases[i].host)) && str_eq(u.path, str_c(cases[i].path)) &&
                            u.port == cases[i].port));
    }
}

static void say(struct conn *b, void *arg)
{
    str s = *(str *)arg;
    CHECK(conn_write(b, s) == OK);
    conn_end(b);
}

static const struct {
    str text;
    bool head;
    err e;
    int status, retry;
    const char *body, *location, *nonce;
} answers[] = {
    {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nReplay-Nonce: abc\r\n\r\nhello"), false, OK, 200, 0, "hello", "",
     "abc"},
    {S_INIT("HTTP/1.1 201 Created\r\nLOCATION:   https://x/1 \r\ncontent-length: 0\r\n\r\n"), false, OK, 201, 0, "",
     "https://x/1", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"), false,
     OK, 200, 0, "hello world", "", ""},
    {S_INIT("HTTP/1.0 200 OK\r\n\r\nto the end"), false, OK, 200, 0, "to the end", "", ""},
    {S_INIT("HTTP/1.1 204 No Content\r\nRetry-After: 7\r\n\r\n"), false, OK, 204, 7, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nRetry-After: 99999\r\nContent-Length: 9\r\n\r\n"), true, OK, 200, 3600, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), false, E_CLOSED, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\nhello"), false, E_LIMIT, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), false, E_PROTOCOL, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), false, E_PROTOCOL, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n"), false, E_PROTOCOL, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n"), false, E_LIMIT, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"), false, E_PROTOCOL, 0, 0, "", "", ""},
    {S_INIT("SSH-2.0-x\r\n\r\n"), false, E_PROTOCOL, 0, 0, "", "", ""},
    {S_INIT("HTTP/1.1 xx\r\n\r\n"), false, E_PROTOCOL, 0, 0, "", "", ""},
    {S_INIT(""), false, E_CLOSED, 0, 0, "", "", ""},
};

static void all_answers(void *arg, int index)
{
    (void)arg, (void)index;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct pair p;
        struct arena a;
        struct https_reply r = {0};
        str text = answers[i].text;
        arena_init(&a, 4096, 1 << 20);
        struct https h = {.a = &a};
        pair_open(&p, say, &text);
        err e = read_reply(&h, &p.a, answers[i].head, &r);
        if (e != answers[i].e)
            fprintf(stderr, "answer %zu: %s\n", i, err_text(e));
        CHECK(e == answers[i].e);
        CHECK(e || (r.status == answers[i].status && r.retry_after == answers[i].retry &&
                    str_eq(r.body, str_c(answers[i].body)) && str_eq(r.location, str_c(answers[i].location)) &&
                    str_eq(r.nonce, str_c(answers[i].nonce))));
        pair_close(&p);
        arena_free(&a);
    }
    rt_stop();
}

static void test_answers(void **state)
{
    (void)state;
    world(1, all_answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_url), cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests_name("acme/https", tests, NULL, NULL);
}
