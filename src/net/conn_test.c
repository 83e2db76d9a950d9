/* Lines, pieces, gathered output, the sticky error, what an idle connection owns. */
#include "net/test_pair.h"

enum { BIG = 300000 };

static void send_text(struct conn *b, void *text)
{
    CHECK(conn_write(b, str_c(text)) == OK);
    CHECK(conn_flush(b) == OK);
}

static void send_text_and_end(struct conn *b, void *text)
{
    send_text(b, text);
    conn_end(b);
}

/* ---- lines ---- */

static void test_lines(void)
{
    static const struct {
        const char *in;
        size_t max;
        err e;
        const char *line;
        bool crlf;
        const char *rest;
    } cases[] = {
        {"EHLO x\r\nQUIT\r\n", 100, OK, "EHLO x", true, "QUIT"},
        {"EHLO x\nQUIT\r\n", 100, OK, "EHLO x", false, "QUIT"},
        {"\r\nQUIT\r\n", 100, OK, "", true, "QUIT"},
        {"\nQUIT\r\n", 100, OK, "", false, "QUIT"},
        {"a\rb\r\r\nQUIT\r\n", 100, OK, "a\rb\r", true, "QUIT"},
        {"12345678\r\nQUIT\r\n", 10, OK, "12345678", true, "QUIT"},
        {"123456789\r\nQUIT\r\n", 10, E_LINE_LENGTH, "", false, "QUIT"},
        {"1234567890123456789\r\nQUIT\r\n", 10, E_LINE_LENGTH, "", false, "QUIT"},
        {"no end", 100, E_CLOSED, "", false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair p;
        str line = {0};
        bool crlf = false;
        pair_open(&p, send_text_and_end, (void *)(uintptr_t)cases[i].in);
        CHECK(conn_readline(&p.a, cases[i].max, &line, &crlf) == cases[i].e);
        if (cases[i].e == OK)
            CHECK(says(line, cases[i].line) && crlf == cases[i].crlf);
        if (cases[i].rest) {
            CHECK(conn_readline(&p.a, cases[i].max, &line, NULL) == OK);
            CHECK(says(line, cases[i].rest));
            CHECK(p.a.in_at == p.a.in_n);
        }
        CHECK(conn_readline(&p.a, 100, &line, NULL) == E_CLOSED);
        CHECK(p.a.e == E_CLOSED);
        pair_close(&p);
    }
}

/* One octet at a time, with the LF far away: the same line. */
static void slow_line(struct conn *b, void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++) {
        CHECK(conn_write(b, i % 20 == 19 ? S("\r\n") : S("x")) == OK);
        CHECK(conn_flush(b) == OK);
        fiber_yield();
    }
}

static void test_slow_lines(void)
{
    struct pair p;
    str line;
    pair_open(&p, slow_line, NULL);
    for (int i = 0; i < 2; i++)
        CHECK(conn_readline(&p.a, 512, &line, NULL) == OK && says(line, "xxxxxxxxxxxxxxxxxxx"));
    pair_close(&p);
}

static char big[BIG];

static void send_big_lines(struct conn *b, void *arg)
{
    (void)arg;
    const size_t sizes[] = {65534, 65535, 40000, 16384, 200000};
    for (size_t i = 0; i < 5; i++) {
        CHECK(conn_write(b, str_mem(big, sizes[i])) == OK);
        CHECK(conn_write(b, S("\r\nnext\r\n")) == OK);
    }
    CHECK(conn_flush(b) == OK);
}

static void test_big_lines(void)
{
    struct pair p;
    str line;
    memset(big, 'x', BIG);
    pair_open(&p, send_big_lines, NULL);
    const size_t sizes[] = {65534, 0, 40000, 16384, 0};
    for (size_t i = 0; i < 5; i++) {
        err e = conn_readline(&p.a, 65536, &line, NULL);
        CHECK(e == (sizes[i] ? OK : E_LINE_LENGTH));
        CHECK(!sizes[i] || line.n == sizes[i]);
        CHECK(conn_readline(&p.a, 65536, &line, NULL) == OK && says(line, "next"));
    }
    pair_close(&p);
}

static void send_endless_line(struct conn *b, void *arg)
{
    (void)arg;
    while (conn_write(b, str_mem(big, BIG)) == OK)
        ;
}

static void test_endless_line(void)
{
    struct pair p;
    str line;
    pair_open(&p, send_endless_line, NULL);
    CHECK(conn_readline(&p.a, 512, &line, NULL) == E_LINE_LENGTH);
    CHECK(p.a.e == E_LINE_LENGTH);
    CHECK(conn_readline(&p.a, 512, &line, NULL) == E_LINE_LENGTH);
    conn_close(&p.a);
    pair_close(&p);
}

/* ---- pieces and bodies ---- */

static void test_pieces(void)
{
    struct pair p;
    str s;
    char body[8];
    size_t n;
    pair_open(&p, send_text, (char *)(uintptr_t) "BDAT 4\r\nbodyQUIT\r\n");
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "BDAT 4"));
    CHECK(conn_buffered(&p.a) == 10 && conn_readable(&p.a));
    CHECK(conn_peek(&p.a, &s) == OK && says(s, "bodyQUIT\r\n"));
    conn_took(&p.a, 1);
    CHECK(conn_read(&p.a, body, 3, &n) == OK && n == 3 && memcmp(body, "ody", 3) == 0);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "QUIT"));
    CHECK(conn_buffered(&p.a) == 0 && !conn_readable(&p.a));
    conn_took(&p.a, 5);
    CHECK(conn_buffered(&p.a) == 0);
    pair_close(&p);
}

/* What was read too far is read again: out of the buffer, straight from the socket, more than a buffer holds. */
static void test_unread(void)
{
    static char body[60000];
    struct pair p;
    str line;
    size_t n;
    pair_open(&p, send_text, (char *)(uintptr_t) "DATA\r\nx\r\n.\r\nQUIT\r\nNOOP\r\n");
    CHECK(conn_readline(&p.a, 512, &line, NULL) == OK && says(line, "DATA"));
    CHECK(conn_read(&p.a, body, 12, &n) == OK && n == 12);
    conn_unread(&p.a, str_mem(body + 6, 6));
    CHECK(conn_buffered(&p.a) == 12);
    CHECK(conn_readline(&p.a, 512, &line, NULL) == OK && says(line, "QUIT"));
    CHECK(conn_readline(&p.a, 512, &line, NULL) == OK && says(line, "NOOP"));
    pair_close(&p);
    pair_open(&p, send_text, (char *)(uintptr_t) "x\r\n.\r\nQUIT\r\n");
    CHECK(conn_read(&p.a, body, sizeof body, &n) == OK && n == 12);
    conn_unread(&p.a, str_mem(body + 6, 6));
    conn_unread(&p.a, str_mem(body, 0));
    CHECK(conn_readable(&p.a));
    CHECK(conn_readline(&p.a, 512, &line, NULL) == OK && says(line, "QUIT"));
    memset(body, 'y', sizeof body);
    conn_unread(&p.a, str_mem(body, sizeof body));
    CHECK(conn_peek(&p.a, &line) == OK && line.n == sizeof body && memcmp(line.p, body, sizeof body) == 0);
    pair_close(&p);
}

static void send_in_two(struct conn *b, void *arg)
{
    send_text(b, (char *)(uintptr_t) "PRO");
    fiber_sleep(rt_after(5 * RT_MS));
    send_text(b, arg);
}

static void test_peek_more(void)
{
    struct pair p;
    str s;
    pair_open(&p, send_in_two, (char *)(uintptr_t) "XY");
    CHECK(conn_peek(&p.a, &s) == OK && says(s, "PRO"));
    CHECK(conn_peek_more(&p.a, &s) == OK && says(s, "PROXY"));
    pair_close(&p);
}

static void test_proxy(void)
{
    static const struct {
        str in;
        err e;
        bool local;
        const char *rest;
    } cases[] = {
        {S_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\nEHLO x\r\n"), OK, false, "EHLO x"},
        {S_INIT("PROXY UNKNOWN\r\nEHLO x\r\n"), OK, true, "EHLO x"},
        {S_INIT("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0EHLO x\r\n"), OK, true, "EHLO x"},
        {S_INIT("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\3\xe8\0\x19"
                "EHLO x\r\n"),
         OK, false, "EHLO x"},
        {S_INIT("EHLO x.example.test\r\n"), E_SYNTAX, false, NULL},
        {S_INIT("PROXY TCP4 1 2 3\r\nEHLO x\r\n"), E_SYNTAX, false, NULL},
        {S_INIT("PROXY TCP4"), E_CLOSED, false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair p;
        struct proxyp header;
        str s;
        pair_open(&p, NULL, NULL);
        CHECK(conn_write(&p.b, cases[i].in) == OK);
        conn_end(&p.b);
        CHECK(conn_read_proxy(&p.a, &header) == cases[i].e);
        CHECK(p.a.e == (cases[i].e == E_CLOSED ? E_CLOSED : OK));
        if (cases[i].e == OK) {
            CHECK(header.local == cases[i].local && conn_buffered(&p.a) == 0);
            CHECK(header.local || (header.src.ip.b[3] == 1 && header.src.port == 1000));
            CHECK(conn_readline(&p.a, 100, &s, NULL) == OK && says(s, cases[i].rest));
        }
        pair_close(&p);
    }
}

/* ---- output ---- */

static void send_gathered(struct conn *b, void *arg)
{
    (void)arg;
    struct iovec v[50];
    for (int i = 0; i < 50; i++)
        v[i] = (struct iovec){big + i * 6000, i % 7 ? 6000 : 3};
    for (int i = 0; i < BIG; i++)
        big[i] = (char)('a' + i % 23);
    CHECK(conn_printf(b, "%s %d\r\n", "head", 7) == OK);
    CHECK(conn_writev(b, v, 50) == OK);
    CHECK(conn_writev(b, v, 0) == OK && conn_write(b, S("")) == OK);
    CHECK(conn_write(b, S("tail\r\n")) == OK);
    CHECK(conn_flush(b) == OK && b->out == NULL);
    CHECK(b->bytes_out == 8 + 42 * 6000 + 8 * 3 + 6);
}

static void test_gathered(void)
{
    struct pair p;
    str s;
    char got[8192];
    pair_open(&p, send_gathered, NULL);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "head 7"));
    for (int i = 0; i < 50; i++) {
        size_t want = i % 7 ? 6000 : 3, have = 0, n;
        while (have < want) {
            CHECK(conn_read(&p.a, got + have, want - have, &n) == OK);
            have += n;
        }
        for (size_t k = 0; k < want; k++)
            CHECK(got[k] == (char)('a' + ((size_t)i * 6000 + k) % 23));
    }
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "tail"));
    CHECK(p.a.bytes_in == 8 + 42 * 6000 + 8 * 3 + 6);
    pair_close(&p);
}

/* Output waits while there is input to answer, and leaves before the fiber sleeps. */
static void two_commands(struct conn *b, void *arg)
{
    str s;
    (void)arg;
    send_text(b, (char *)(uintptr_t) "A\r\nB\r\n");
    for (int i = 1; i <= 2; i++)
        CHECK(conn_readline(b, 512, &s, NULL) == OK && s.n == 2 && s.p[1] == '0' + i);
}

static void test_pipelining(void)
{
    struct pair p;
    str s;
    pair_open(&p, two_commands, NULL);
    for (int i = 1; i <= 2; i++) {
        CHECK(conn_readline(&p.a, 512, &s, NULL) == OK);
        CHECK(conn_printf(&p.a, "r%d\r\n", i) == OK);
        CHECK(p.a.bytes_out == 0 && p.a.out_n == (size_t)i * 4);
    }
    CHECK(conn_readable(&p.a) == false);
    p.a.deadline = rt_after(10 * RT_MS);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == E_TIMEOUT);
    CHECK(p.a.bytes_out == 8 && p.a.in == NULL && p.a.out == NULL);
    pair_close(&p);
}

/* The answers to a peer that half-closed after its last command still go out. */
static void half_close(struct conn *b, void *arg)
{
    str s;
    (void)arg;
    send_text(b, (char *)(uintptr_t) "QUIT\r\n");
    io_shutdown(&b->io);
    CHECK(conn_readline(b, 512, &s, NULL) == OK && says(s, "221"));
}

static void test_half_close(void)
{
    struct pair p;
    str s;
    pair_open(&p, half_close, NULL);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK);
    CHECK(conn_write(&p.a, S("221\r\n")) == OK);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == E_CLOSED);
    pair_close(&p);
}

/* ---- errors ---- */

static void test_sticky(void)
{
    struct pair p;
    str s;
    size_t n;
    char c;
    struct iovec v = {&c, 1};
    pair_open(&p, NULL, NULL);
    p.a.deadline = rt_after(5 * RT_MS);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == E_TIMEOUT);
    p.a.deadline = RT_NEVER;
    CHECK(conn_write(&p.a, S("x")) == E_TIMEOUT && conn_writev(&p.a, &v, 1) == E_TIMEOUT);
    CHECK(conn_printf(&p.a, "x") == E_TIMEOUT && conn_flush(&p.a) == E_TIMEOUT);
    CHECK(conn_peek(&p.a, &s) == E_TIMEOUT && conn_read(&p.a, &c, 1, &n) == E_TIMEOUT);
    CHECK(conn_peek_more(&p.a, &s) == E_TIMEOUT && !conn_readable(&p.a));
    CHECK(conn_resume(&p.a) == OK);
    CHECK(conn_write(&p.a, S("421\r\n")) == OK);
    conn_end(&p.a);
    CHECK(p.a.e == E_CLOSED && conn_resume(&p.a) == E_CLOSED && p.a.io.fd == -1);
    CHECK(conn_readline(&p.b, 512, &s, NULL) == OK && says(s, "421"));
    CHECK(conn_readline(&p.b, 512, &s, NULL) == E_CLOSED);
    pair_close(&p);
}

static void test_reset(void)
{
    struct pair p;
    pair_open(&p, NULL, NULL);
    conn_close(&p.b);
    while (conn_write(&p.a, str_mem(big, BIG)) == OK)
        ;
    CHECK(p.a.e == E_RESET);
    pair_close(&p);
}

/* A peer that reads nothing: the write ends at the deadline, in the middle, and a farewell is impossible. */
static void test_full(void)
{
    struct pair p;
    pair_open(&p, NULL, NULL);
    p.a.deadline = rt_after(20 * RT_MS);
    err e = OK;
    for (int i = 0; i < 100 && !e; i++)
        e = conn_write(&p.a, str_mem(big, BIG));
    CHECK(e == E_TIMEOUT && p.a.cut && conn_resume(&p.a) == E_TIMEOUT);
    pair_close(&p);
}

static void cancel_me(struct conn *b, void *arg)
{
    (void)b;
    fiber_cancel(arg);
}

static void cancelled_fiber(void *arg)
{
    struct pair *p = arg;
    str s;
    CHECK(conn_readline(&p->a, 512, &s, NULL) == E_CANCELLED);
    fiber_shield(true);
    CHECK(conn_resume(&p->a) == OK);
    CHECK(conn_write(&p->a, S("421 4.3.2 bye\r\n")) == OK);
    conn_end(&p->a);
    p->done = true;
}

static void test_cancel(void)
{
    struct pair p;
    str s;
    pair_open(&p, NULL, NULL);
    p.done = false;
    struct fiber *f = fiber_spawn(cancelled_fiber, &p, "cancelled");
    fiber_yield();
    cancel_me(&p.b, f);
    CHECK(conn_readline(&p.b, 512, &s, NULL) == OK && says(s, "421 4.3.2 bye"));
    while (!p.done)
        fiber_yield();
    pair_close(&p);
}

static void connect_out(void)
{
    struct target t = {.to.ss_family = AF_UNSPEC};
    struct conn c;
    CHECK(net_connect(&c, &t, rt_after(RT_S)) == E_UNREACHABLE && c.e == E_UNREACHABLE);
    conn_close(&c);
    struct ip_port at;
    CHECK(ip_port_parse(S("127.0.0.1:24001"), 0, &at));
    ip_to_sockaddr(&at, &t.to);
    CHECK(ip_port_parse(S("127.0.0.2"), 1, &at));
    at.port = 0;
    ip_to_sockaddr(&at, &t.from);
    CHECK(net_connect(&c, &t, rt_after(RT_S)) == E_REFUSED);
    int fd;
    struct io l = IO_NONE;
    CHECK(rt_listen((struct sockaddr *)&t.to, sizeof(struct sockaddr_storage), false, 5, &fd) == OK);
    CHECK(io_attach(&l, fd) == OK);
    CHECK(net_connect(&c, &t, rt_after(RT_S)) == OK);
    struct conn s;
    struct sockaddr_storage peer;
    CHECK(io_accept(&l, &fd, &peer) == OK && conn_init(&s, fd, &peer) == OK);
    CHECK(ip_from_sockaddr((struct sockaddr *)&s.peer, sizeof s.peer, &at) && at.ip.b[3] == 2);
    CHECK(ip_from_sockaddr((struct sockaddr *)&s.local, sizeof s.local, &at) && at.port == 24001);
    conn_close(&s);
    str line;
    CHECK(conn_readline(&c, 512, &line, NULL) == E_CLOSED);
    conn_close(&c);
    io_close(&l);
}

static void all_cases(void *arg, int index)
{
    (void)arg, (void)index;
    test_lines();
    test_slow_lines();
    test_big_lines();
    test_endless_line();
    test_pieces();
    test_unread();
    test_peek_more();
    test_proxy();
    test_gathered();
    test_pipelining();
    test_half_close();
    test_sticky();
    test_reset();
    test_full();
    test_cancel();
    connect_out();
    rt_stop();
}

static void test_conn(void **state)
{
    (void)state;
    world(1, all_cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conn)};
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
