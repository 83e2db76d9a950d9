/* Over real sockets: accepting and its limits, the PROXY header, XCLIENT and what it does to trust, TLS. */
#include "intake/test_fakes.h"

#include "net/net.h"
#include "recv/recv.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct recv_port port;
static struct fiber *server;
static struct sockaddr_storage at;

static void serve(void *arg) { recv_serve(&port, (int)(intptr_t)arg); }

/* A server on a free port, with the listener of the configuration. */
static void begin(const char *conf_text, struct tls_server *tls)
{
    fake_begin(conf_text);
    rt_log_setup(LOG_ERROR, false, 2);
    struct recv_listener *l;
    struct recv_listener_config c = {
        .conf = fake.conf, .conf_listener = &fake.conf->listeners[0], .kind = RECV_MX, .tls = tls};
    CHECK(recv_listener_new(&l, &c) == OK);
    recv_port_set(&port, l);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd;
    CHECK(rt_listen((struct sockaddr *)&in, sizeof in, false, 100, &fd) == OK);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    server = fiber_spawn(serve, (void *)(intptr_t)fd, "serve");
    CHECK(server);
}

/* Waits until so many sessions are left. */
static void left(int n)
{
    while (metric_read(M_connections) != n)
        CHECK(fiber_sleep(rt_after(10 * RT_MS)) == OK);
}

static void end(void)
{
    fiber_cancel(server);
    left(0);
    recv_port_set(&port, NULL);
    fake_end();
    rt_stop();
}

static void dial(struct conn *c)
{
    const struct target t = {.to = at};
    CHECK(net_connect(c, &t, rt_after(5 * RT_S)) == OK);
    c->deadline = rt_after(10 * RT_S);
}

/* One reply; only its first line is looked at. */
static bool hear(struct conn *c, const char *want)
{
    str line = S("");
    bool ok = false, first = true;
    do {
        err e = conn_readline(c, 2000, &line, NULL);
        if (e) {
            fprintf(stderr, "%s instead of %s\n", err_name(e), want);
            return false;
        }
        if (first && !(ok = str_starts(line, str_c(want))))
            fprintf(stderr, STR_FMT " instead of %s\n", STR_ARG(line), want);
        first = false;
    } while (line.n > 3 && line.p[3] == '-');
    return ok;
}

static bool say(struct conn *c, const char *text, const char *want)
{
    conn_printf(c, "%s\r\n", text);
    return hear(c, want);
}

static bool closed(struct conn *c)
{
    str rest;
    return conn_peek(c, &rest) == E_CLOSED;
}

#define TOP "hostname = \"mx.example.test\"\nlistener mx { address = \"127.0.0.1:25001\" }\n"
#define DOMAIN "domain example.test { mailboxes = {\"alice\"} }\n"

/* ---- limits by address ------------------------------------------------------------------------------------ */

static void run_limits(void *arg, int index)
{
    (void)arg, (void)index;
    begin(TOP DOMAIN "limit-exempt = {}\nlimits { connections-per-address = 2  connection-rate = 4 }\n", NULL);
    struct conn a, b, c, d;
    dial(&a), dial(&b), dial(&c);
    CHECK(hear(&a, "220 ") && hear(&b, "220 ") && hear(&c, "421 4.7.0") && closed(&c));
    conn_close(&c);
    CHECK(say(&b, "QUIT", "221 ") && closed(&b));
    conn_close(&b);
    left(1);
    dial(&b); /* room again */
    CHECK(hear(&b, "220 ") && say(&b, "QUIT", "221 ") && closed(&b));
    conn_close(&b);
    left(1);
    dial(&c); /* the fourth within a minute */
    CHECK(hear(&c, "220 ") && say(&c, "QUIT", "221 "));
    conn_close(&c);
    left(1);
    dial(&d);
    CHECK(hear(&d, "421 4.7.0") && closed(&d));
    conn_close(&d);
    CHECK(say(&a, "NOOP", "250 "));
    conn_close(&a);
    end();
}

static void run_all(void *arg, int index)
{
    (void)arg, (void)index;
    begin(TOP DOMAIN "limits { connections = 1 }\n", NULL); /* loopback is exempt from the others only */
    struct conn a, b;
    dial(&a), dial(&b);
    CHECK(hear(&a, "220 ") && hear(&b, "421 4.3.2") && closed(&b));
    conn_close(&b);
    conn_close(&a);
    left(0);
    dial(&b);
    CHECK(hear(&b, "220 "));
    conn_close(&b);
    end();
}

/* ---- PROXY and XCLIENT: trust follows the address that they name ---------------------------------------- */

#define MAIL "MAIL FROM:<a@b.test>"
#define AWAY "RCPT TO:<x@outside.test>"

static bool may_relay(struct conn *c)
{
    CHECK(say(c, "EHLO c.test", "250-") && say(c, MAIL, "250 "));
    conn_printf(c, AWAY "\r\n");
    str line;
    CHECK(conn_readline(c, 2000, &line, NULL) == OK);
    return str_starts(line, S("250 "));
}

static void run_proxy(void *arg, int index)
{
    (void)arg, (void)index;
    begin(TOP DOMAIN "relay-from = {\"10.0.0.0/8\"}\nproxy-protocol-from = {\"127.0.0.0/8\"}\n", NULL);
    static const struct {
        const char *header;
        bool good, relay;
    } rows[] = {{"PROXY TCP4 10.1.2.3 10.0.0.1 1000 25\r\n", true, true},
                {"PROXY TCP4 192.0.2.1 10.0.0.1 1000 25\r\n", true, false},
                {"PROXY TCP6 2001:db8::1 2001:db8::2 1000 25\r\n", true, false},
                {"PROXY UNKNOWN\r\n", true, false},
                {"EHLO c.test\r\n", false, false},
                {"PROXY TCP4 10.1.2.3\r\n", false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conn c;
        dial(&c);
        conn_write(&c, str_c(rows[i].header));
        CHECK(hear(&c, rows[i].good ? "220 " : "421 4.7.0"));
        if (rows[i].good)
            CHECK(may_relay(&c) == rows[i].relay);
        conn_close(&c);
    }
    end();
}

static void run_xclient(void *arg, int index)
{
    (void)arg, (void)index;
    begin(TOP DOMAIN "relay-from = {\"10.0.0.0/8\"}\nxclient-from = {\"127.0.0.1\"}\n", NULL);
    struct conn c;
    dial(&c);
    CHECK(hear(&c, "220 ") && say(&c, "XCLIENT ADDR=10.1.2.3 NAME=[UNAVAILABLE] HELO=h.test", "220 mx.example.test"));
    CHECK(say(&c, MAIL, "503 ") && may_relay(&c));
    CHECK(say(&c, "XCLIENT ADDR=192.0.2.7", "503 ") && say(&c, "RSET", "250 "));
    CHECK(say(&c, "XCLIENT ADDR=192.0.2.7 NAME=spam.test PORT=1234", "220 ") && !may_relay(&c));
    CHECK(say(&c, "RCPT TO:<alice@example.test>", "250 ") && say(&c, "DATA", "354 ") &&
          say(&c, "From: a@b.test\r\n\r\nx\r\n.", "250 "));
    CHECK(str_search(buf_str(&fake.octets), S("from c.test (spam.test [192.0.2.7])")) != STR_NONE);
    CHECK(say(&c, "XCLIENT ADDR=IPV6:2001:db8::7 LOGIN=alice", "220 ") && may_relay(&c));
    conn_close(&c);
    end();
}

/* ---- TLS --------------------------------------------------------------------------------------------------------- */

static struct tls_server *make_tls(void)
{
    struct buf cert, key;
    buf_init(&cert, 1 << 16);
    buf_init(&key, 1 << 16);
    CHECK(tls_self_signed(S("mx.example.test"), &cert, &key) == OK);
    buf_add_char(&cert, 0);
    buf_add_char(&key, 0);
    const char *certs[] = {cert.p}, *keys[] = {key.p};
    struct tls_server *s;
    CHECK(tls_server_new(&s, &(struct tls_server_config){.cert_pem = certs, .key_pem = keys, .n = 1}, NULL) == OK);
    buf_free(&cert);
    buf_free(&key);
    return s;
}

static bool secure(struct conn *c)
{
    return tls_connect(c, &(struct tls_client_config){.verify = TLS_ANY, .name = S("mx.example.test")}, NULL) == OK;
}

static void run_starttls(void *arg, int index)
{
    (void)arg, (void)index;
    struct tls_server *tls = make_tls();
    begin(TOP DOMAIN, tls);
    tls_server_drop(&tls);
    struct conn c;
    dial(&c);
    CHECK(hear(&c, "220 ") && say(&c, "EHLO c.test", "250-") && say(&c, MAIL, "250 "));
    CHECK(say(&c, "STARTTLS", "503 ") && say(&c, "RSET", "250 ") && say(&c, "STARTTLS", "220 2.0.0") && secure(&c));
    CHECK(say(&c, MAIL, "503 ") && say(&c, "EHLO d.test", "250-") && say(&c, "STARTTLS", "503 "));
    CHECK(say(&c, MAIL, "250 ") && say(&c, "RCPT TO:<alice@example.test>", "250 ") && say(&c, "DATA", "354 "));
    CHECK(say(&c, "Subject: x\r\n\r\nx\r\n.", "250 "));
    CHECK(str_search(buf_str(&fake.octets), S("with ESMTPS")) != STR_NONE && fake.env.flags & ENV_TLS);
    CHECK(str_eq(fake.env.helo, S("d.test")) && say(&c, "QUIT", "221 ") && closed(&c));
    conn_close(&c);
    dial(&c); /* a command behind STARTTLS in the same packet */
    CHECK(hear(&c, "220 ") && say(&c, "EHLO c.test", "250-"));
    conn_write(&c, S("STARTTLS\r\nNOOP\r\n"));
    CHECK(hear(&c, "554 ") && closed(&c));
    conn_close(&c);
    dial(&c); /* plain text instead of a handshake */
    CHECK(hear(&c, "220 ") && say(&c, "STARTTLS", "220 "));
    conn_write(&c, S("EHLO c.test\r\n"));
    str rest;
    while (conn_peek(&c, &rest) == OK) {
        CHECK(rest.p[0] == 21); /* at most an alert record */
        conn_took(&c, rest.n);
    }
    conn_close(&c);
    end();
}

static void run_implicit(void *arg, int index)
{
    (void)arg, (void)index;
    struct tls_server *tls = make_tls();
    begin("hostname = \"mx.example.test\"\nlistener mx { address = \"127.0.0.1:25001\"  tls = \"implicit\" }\n" DOMAIN,
          tls);
    tls_server_drop(&tls);
    struct conn c;
    dial(&c);
    CHECK(secure(&c) && hear(&c, "220 ") && say(&c, "EHLO c.test", "250-") && say(&c, "QUIT", "221 "));
    conn_close(&c);
    end();
}

/* ---- shutdown ------------------------------------------------------------------------------------------------------
 */

static void run_shutdown(void *arg, int index)
{
    (void)arg, (void)index;
    begin(TOP DOMAIN, NULL);
    struct conn a, b;
    dial(&a), dial(&b);
    CHECK(hear(&a, "220 ") && hear(&b, "220 ") && say(&b, "EHLO c.test", "250-") && say(&b, MAIL, "250 "));
    fiber_shield(true);
    rt_stop(); /* an idle session ends at once, one with a transaction after it */
    CHECK(hear(&a, "421 4.3.2") && closed(&a));
    CHECK(say(&b, "RCPT TO:<alice@example.test>", "250 ") && say(&b, "DATA", "354 ") && say(&b, "\r\nx\r\n.", "250 "));
    CHECK(hear(&b, "421 4.3.2") && closed(&b) && fake.queued == 1);
    conn_close(&a), conn_close(&b);
    fiber_shield(false);
}

static void limits(void **state) { (void)state, world(1, run_limits); }
static void all(void **state) { (void)state, world(1, run_all); }
static void proxy(void **state) { (void)state, world(1, run_proxy); }
static void xclient(void **state) { (void)state, world(1, run_xclient); }
static void starttls(void **state) { (void)state, world(1, run_starttls); }
static void implicit(void **state) { (void)state, world(1, run_implicit); }
static void shut_down(void **state) { (void)state, world(1, run_shutdown); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),   cmocka_unit_test(all),      cmocka_unit_test(proxy),    cmocka_unit_test(xclient),
        cmocka_unit_test(starttls), cmocka_unit_test(implicit), cmocka_unit_test(shut_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
