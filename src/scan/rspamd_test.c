/* A stand-in for rspamd: what it is asked, connections that are kept, lost and closed; and what its answers mean. */
#include "net/test_listen.h"
#include "scan/rspamd.c"

#include "base/test.h"

static struct {
    struct io listener;
    char address[40];
    const char *answer;
    int hang_up_after; /* answers on one connection; 0: never */
    int connections;
    char heard[4096];
} server;

static bool one(struct conn *c)
{
    str line;
    struct buf heard;
    size_t body = 0;
    buf_init_fixed(&heard, server.heard, sizeof server.heard - 1);
    while (conn_readline(c, 1000, &line, NULL) == OK && line.n) {
        buf_add(&heard, line);
        buf_add_char(&heard, '\n');
        if (str_istarts(line, S("Content-Length: ")))
            body = strtoul(line.p + 16, NULL, 10);
    }
    for (str piece; body && conn_peek(c, &piece) == OK;) {
        piece = str_sub(piece, 0, body);
        buf_add(&heard, piece);
        body -= piece.n;
        conn_took(c, piece.n);
    }
    if (c->e)
        return false;
    server.heard[heard.n] = 0;
    conn_printf(c, "HTTP/1.1 %s", server.answer);
    return conn_flush(c) == OK;
}

static void session(void *arg)
{
    struct conn c;
    int fd = (int)(intptr_t)arg;
    CHECK(conn_init(&c, fd, NULL) == OK);
    c.deadline = rt_after(10 * RT_S);
    server.connections++;
    for (int i = 0; one(&c); i++)
        if (server.hang_up_after && i + 1 == server.hang_up_after)
            break;
    conn_close(&c);
}

static void serve(void *arg)
{
    (void)arg;
    struct sockaddr_storage peer;
    int fd;
    while (io_accept(&server.listener, &fd, &peer) == OK)
        CHECK(fiber_spawn(session, (void *)(intptr_t)fd, "session") != NULL);
}

static err read_text(void *arg, uint64_t at, str *ret)
{
    *ret = str_sub(*(const str *)arg, (size_t)at, (size_t)at + 5);
    return OK;
}

static struct rspamd_question question(str *message)
{
    static const str rcpts[] = {S_INIT("a@x.test"), S_INIT("b@x.test")};
    return (struct rspamd_question){.address = str_c(server.address),
                                    .password = S("secret"),
                                    .deadline = rt_after(5 * RT_S),
                                    .octets = {message->n, read_text, message},
                                    .ip = S("192.0.2.1"),
                                    .helo = S("bad\r\nhelo"),
                                    .from = S("s@y.test"),
                                    .rcpts = rcpts,
                                    .nrcpts = 2};
}

#define ANSWER(text, length) "200 OK\r\nContent-Length: " #length "\r\n\r\n" text
static const char no_action[] = ANSWER("{\"action\":\"no action\"}", 22);

static void cases(void *arg)
{
    (void)arg;
    struct arena a;
    struct rspamd_answer r;
    str message = S("Subject: x\r\n\r\nhello\r\n");
    struct rspamd_question q = question(&message);
    arena_init(&a, 4096, 4 << 20);
    server.answer = no_action;
    CHECK(rspamd_ask(&q, &a, &r, NULL) == OK && r.action == RSPAMD_NONE);
    CHECK(strstr(server.heard, "POST /checkv2 HTTP/1.1\n") == server.heard);
    CHECK(strstr(server.heard, "\nPassword: secret\nIP: 192.0.2.1\nHelo: bad??helo\nFrom: s@y.test\n"));
    CHECK(strstr(server.heard, "\nRcpt: a@x.test\nRcpt: b@x.test\n"));
    CHECK(strstr(server.heard, "\nContent-Length: 21\nSubject: x\r\n\r\nhello\r\n"));
    CHECK(rspamd_ask(&q, &a, &r, NULL) == OK && server.connections == 1); /* kept */
    server.hang_up_after = 1;
    server.answer = "200 OK\r\nConnection: close\r\nContent-Length: 22\r\n\r\n{\"action\":\"no action\"}";
    CHECK(rspamd_ask(&q, &a, &r, NULL) == OK && server.connections == 1);
    server.answer = no_action;
    CHECK(rspamd_ask(&q, &a, &r, NULL) == OK && server.connections == 2);
    CHECK(rspamd_ask(&q, &a, &r, NULL) == OK && server.connections == 3); /* it hung up, which was seen or not */
    server.answer = "403 no\r\nContent-Length: 0\r\n\r\n";
    CHECK(rspamd_ask(&q, &a, &r, NULL) == E_DENIED);
    server.answer = ANSWER("{\"action\":\"dance\"}    ", 22);
    CHECK(rspamd_ask(&q, &a, &r, NULL) == E_PROTOCOL);
    server.answer = ANSWER("{\"success\":true}      ", 22);
    CHECK(rspamd_learn(&q, true, NULL) == OK && strstr(server.heard, "POST /learnspam HTTP") == server.heard);
    server.answer = "208 known\r\nContent-Length: 0\r\n\r\n";
    CHECK(rspamd_learn(&q, false, NULL) == E_EXISTS && strstr(server.heard, "POST /learnham HTTP") == server.heard);
    io_close(&server.listener);
    CHECK(rspamd_ask(&q, &a, &r, NULL) == E_REFUSED);
    arena_free(&a);
    rt_stop();
}

static void begin(void *arg, int index)
{
    (void)arg;
    (void)index;
    snprintf(server.address, sizeof server.address, "127.0.0.1:%u", test_listen(&server.listener, serve));
    CHECK(fiber_spawn(cases, NULL, "cases") != NULL);
}

static void asking(void **state)
{
    (void)state;
    world(1, begin);
}

static void recipients(void **state)
{
    (void)state;
    static str rcpts[RSPAMD_RCPTS_MAX + 1];
    struct arena a;
    struct fields f = {.a = &a};
    for (size_t i = 0; i <= RSPAMD_RCPTS_MAX; i++)
        rcpts[i] = S("x@y");
    const struct rspamd_question q = {.rcpts = rcpts, .nrcpts = RSPAMD_RCPTS_MAX + 1};
    arena_init(&a, 4096, 1 << 20);
    assert_true(fill(&q, &f));
    assert_int_equal(f.n, RSPAMD_RCPTS_MAX);
    arena_free(&a);
}

static void full_answer(void **state)
{
    (void)state;
    static const char json[] =
        "{\"is_skipped\":false,\"score\":7.5,\"required_score\":15,\"action\":\"rewrite "
        "subject\",\"subject\":\"***SPAM*** hi\","
        "\"symbols\":{\"A\":{\"name\":\"A\",\"score\":1.5,\"options\":[\"x\",\"y\",3]},\"B\":{\"score\":-2}},"
        "\"messages\":{\"smtp_message\":\"Try later\"},\"dkim-signature\":[\"v=1; a\",\"v=1; b\"],"
        "\"milter\":{\"add_headers\":{\"X-A\":\"1\",\"X-B\":{\"value\":\"2\",\"order\":0},\"X-C\":[\"3\",{\"value\":"
        "\"4\"},[[]]]},"
        "\"remove_headers\":{\"X-D\":0,\"X-E\":[1,2]},\"change_from\":\"n@x\",\"add_rcpt\":[\"r@x\"],\"del_rcpt\":[1,"
        "\"d@x\"]}}";
    struct arena a;
    struct rspamd_answer r;
    arena_init(&a, 4096, 1 << 20);
    assert_int_equal(rspamd_read(str_c(json), &a, &r), OK);
    assert_int_equal(r.action, RSPAMD_REWRITE_SUBJECT);
    assert_true(r.score == 7.5 && r.required == 15 && !r.skipped);
    assert_str(r.subject, "***SPAM*** hi");
    assert_str(r.message, "Try later");
    assert_int_equal(r.nsymbols, 2);
    assert_str(r.symbols[0].options, "x, y");
    assert_true(r.symbols[1].score == -2);
    assert_int_equal(r.nsignatures, 2);
    assert_str(r.signatures[1], "v=1; b");
    static const struct {
        const char *name, *value;
        int index;
        bool remove;
    } edits[] = {{"X-D", "", 0, true},   {"X-E", "", 1, true},    {"X-E", "", 2, true},   {"X-A", "1", -1, false},
                 {"X-B", "2", 0, false}, {"X-C", "3", -1, false}, {"X-C", "4", -1, false}};
    assert_int_equal(r.nedits, COUNT(edits));
    for (size_t i = 0; i < COUNT(edits); i++) {
        assert_str(r.edits[i].name, edits[i].name);
        assert_str(r.edits[i].value, edits[i].value);
        assert_true(r.edits[i].index == edits[i].index && r.edits[i].remove == edits[i].remove);
    }
    assert_str(r.change_from, "n@x");
    assert_true(r.nadd == 1 && r.ndel == 1 && str_eq(r.del_rcpts[0], S("d@x")));
    arena_free(&a);
}

static void poor_answers(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        err e;
    } rows[] = {
        {"{\"action\":\"reject\"}", OK},
        {"{\"is_skipped\":true}", OK},
        {"{}", E_PROTOCOL},
        {"", E_PROTOCOL},
        {"[]", E_PROTOCOL},
        {"{\"action\":3}", E_PROTOCOL},
        {"{\"action\":\"reject\"", E_PROTOCOL},
        {"{\"action\":\"reject\",\"symbols\":3,\"milter\":[],\"score\":\"x\",\"messages\":{\"smtp_message\":1}}", OK},
        {"{\"action\":\"reject\",\"score\":1e300}", OK}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct rspamd_answer r;
        arena_init(&a, 4096, 1 << 20);
        assert_int_equal(rspamd_read(str_c(rows[i].json), &a, &r), rows[i].e);
        assert_true(rows[i].e || (r.score == 0 && r.nsymbols == 0));
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(asking), cmocka_unit_test(recipients),
                                       cmocka_unit_test(full_answer), cmocka_unit_test(poor_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
