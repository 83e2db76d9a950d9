/* A question and its answer over loopback: what is sent, bodies of each kind, limits, dead ends; URLs. */
#include "http/http.h"
#include "net/test_listen.h"

#include "base/test.h"

static struct {
    struct io listener;
    uint16_t port;
    const char *answer; /* NULL: close at once */
    char heard[4096];
} server;

static void serve(void *arg)
{
    (void)arg;
    struct sockaddr_storage peer;
    int fd;
    while (io_accept(&server.listener, &fd, &peer) == OK) {
        struct conn c;
        str line;
        struct buf heard;
        CHECK(conn_init(&c, fd, &peer) == OK);
        c.deadline = rt_after(10 * RT_S);
        buf_init_fixed(&heard, server.heard, sizeof server.heard - 1);
        size_t body = 0;
        while (conn_readline(&c, 1000, &line, NULL) == OK && line.n) {
            buf_add(&heard, line);
            buf_add_char(&heard, '\n');
            if (str_istarts(line, S("Content-Length: ")))
                body = strtoul(line.p + 16, NULL, 10);
        }
        for (str piece; body && conn_peek(&c, &piece) == OK;) {
            piece = str_sub(piece, 0, body);
            buf_add(&heard, piece);
            body -= piece.n;
            conn_took(&c, piece.n);
        }
        server.heard[heard.n] = 0;
        if (server.answer)
            conn_write(&c, str_c(server.answer));
        conn_end(&c);
    }
}

static void listen_here(void) { server.port = test_listen(&server.listener, serve); }

static err ask(struct http_question *q, const char *answer, struct arena *a, struct http1_answer *ret) YIELDS;
static err ask(struct http_question *q, const char *answer, struct arena *a, struct http1_answer *ret)
{
    server.answer = answer;
    q->url = (struct http_url){.host = S("127.0.0.1"), .port = server.port, .path = S("/x?y")};
    q->deadline = rt_after(10 * RT_S);
    return http_ask(q, a, ret, NULL);
}

static void cases(void *arg)
{
    (void)arg;
    struct arena a;
    struct http1_answer r;
    listen_here();
    arena_init(&a, 4096, 1 << 20);
    const struct http1_field fields[] = {{S("X-Test"), S("one two")}}, bad[] = {{S("X-Test"), S("one\r\nX: y")}};
    struct http_question q = {
        .method = "POST", .fields = fields, .nfields = 1, .body = S("hello"), .most = 1000, .private_targets = true};
    CHECK(ask(&q, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", &a, &r) == OK);
    CHECK(r.status == 200 && str_eq(r.body, S("yes")));
    CHECK(strstr(server.heard, "POST /x?y HTTP/1.1\nHost: 127.0.0.1:") == server.heard);
    CHECK(strstr(server.heard, "\nX-Test: one two\n") && strstr(server.heard, "\nContent-Length: 5\n") &&
          strstr(server.heard, "hello"));
    q.fields = bad;
    CHECK(ask(&q, "HTTP/1.1 200 OK\r\n\r\n", &a, &r) == E_SYNTAX);
    q = (struct http_question){.method = "GET", .most = 100, .private_targets = true};
    CHECK(ask(&q, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", &a, &r) ==
          OK);
    CHECK(str_eq(r.body, S("abcde")));
    CHECK(ask(&q, "HTTP/1.0 404 no\r\n\r\nto the end", &a, &r) == OK && r.status == 404 &&
          str_eq(r.body, S("to the end")));
    char large[200];
    memset(large, 'x', sizeof large);
    memcpy(large, "HTTP/1.0 200 ok\r\n\r\n", 19);
    large[100] = 0;
    CHECK(ask(&q, large, &a, &r) == OK && r.body.n == 81); /* 100 octets are the limit */
    large[100] = 'x';
    large[101] = 0;
    CHECK(ask(&q, large, &a, &r) == E_LIMIT);
    CHECK(ask(&q, "nonsense\r\n", &a, &r) == E_SYNTAX);
    CHECK(ask(&q, NULL, &a, &r) == E_RESET);
    q.private_targets = false;
    CHECK(ask(&q, "HTTP/1.1 200 OK\r\n\r\n", &a, &r) == E_PRIVATE);
    io_close(&server.listener);
    arena_free(&a);
    rt_stop();
}

static void begin(void *arg, int index)
{
    (void)arg;
    (void)index;
    CHECK(fiber_spawn(cases, NULL, "cases") != NULL);
}

static void answers(void **state)
{
    (void)state;
    world(1, begin);
}

static void urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *path; /* host NULL: refused */
        unsigned port;
        bool tls;
    } rows[] = {
        {"https://example.com", "example.com", "/", 443, true},
        {"http://example.com:8080/a/b?c=d", "example.com", "/a/b?c=d", 8080, false},
        {"HTTPS://[2001:db8::1]:44/x", "2001:db8::1", "/x", 44, true},
        {"http://[::1]/", "::1", "/", 80, false},
        {"ftp://example.com/", NULL, NULL, 0, false},
        {"https://", NULL, NULL, 0, false},
        {"https://user@example.com/", NULL, NULL, 0, false},
        {"https://example.com:0/", NULL, NULL, 0, false},
        {"https://example.com:99999/", NULL, NULL, 0, false},
        {"https://example.com:/", NULL, NULL, 0, false},
        {"https://example.com/a b", NULL, NULL, 0, false},
        {"https://example.com/a\r\nX: y", NULL, NULL, 0, false},
        {"https://example.com/#x", NULL, NULL, 0, false},
        {"https://exa mple.com/", NULL, NULL, 0, false},
        {"https:///x", NULL, NULL, 0, false},
        {"https://example.com:x/", NULL, NULL, 0, false},
        {"https://[::1/", NULL, NULL, 0, false},
        {"https://[::1]x/", NULL, NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_url u;
        assert_int_equal(http_url_parse(str_c(rows[i].text), &u), rows[i].host != NULL);
        if (!rows[i].host)
            continue;
        assert_str(u.host, rows[i].host);
        assert_str(u.path, rows[i].path);
        assert_true(u.port == rows[i].port && u.tls == rows[i].tls);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls), cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
