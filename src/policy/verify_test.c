/* A server in fibers of the test's own loop, that says what its script says. */
#include "policy/verify.c"
#include "conf/test_conf.h"
#include "policy/test_names.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct {
    struct io listener;
    uint16_t port;
    const char *greeting, *ehlo, *mail, *rcpt; /* "hang": no answer; "close" */
    int connections;
    char said[2000];
} server;

static bool say(struct conn *c, const char *what)
{
    str more;
    if (strcmp(what, "hang") == 0) {
        while (conn_peek(c, &more) == OK)
            conn_took(c, more.n);
        return false;
    }
    return strcmp(what, "close") != 0 && conn_printf(c, "%s\r\n", what) == OK;
}

static void visit(void *arg)
{
    struct conn *c = arg;
    str line;
    bool on = say(c, server.greeting);
    while (on && conn_readline(c, 1000, &line, NULL) == OK) {
        snprintf(server.said + strlen(server.said), sizeof server.said - strlen(server.said), STR_FMT "|",
                 STR_ARG(line));
        on = say(c, str_istarts(line, S("MAIL"))   ? server.mail
                    : str_istarts(line, S("RCPT")) ? server.rcpt
                    : str_istarts(line, S("QUIT")) ? "close"
                                                   : server.ehlo);
    }
    conn_end(c);
    free(c);
}

static void accept_all(void *arg)
{
    (void)arg;
    int fd;
    struct sockaddr_storage peer;
    while (io_accept(&server.listener, &fd, &peer) == OK) {
        struct conn *c = calloc(1, sizeof *c);
        server.connections++;
        CHECK(c && conn_init(c, fd, &peer) == OK);
        fiber_spawn(visit, c, "visit");
    }
}

static void server_begin(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage got;
    int fd;
    CHECK(rt_listen((struct sockaddr *)&in, sizeof in, false, 10, &fd) == OK);
    CHECK(io_attach(&server.listener, fd) == OK && io_address(&server.listener, false, &got) == OK);
    server.port = ntohs(((struct sockaddr_in *)&got)->sin_port);
    fiber_spawn(accept_all, NULL, "accept");
}

static void scripted(const char *greeting, const char *ehlo, const char *mail, const char *rcpt)
{
    server.greeting = greeting ? greeting : "220 fake.test";
    server.ehlo = ehlo ? ehlo : "250-fake.test\r\n250 SMTPUTF8";
    server.mail = mail ? mail : "250 2.1.0 ok";
    server.rcpt = rcpt ? rcpt : "250 2.1.5 ok";
    server.said[0] = 0;
}

static enum verify_answer ask(struct conf *c, const char *to, struct reply *r)
{
    struct url u = {.scheme = URL_SMTP, .host = S("127.0.0.1"), .host_is_ip = true, .port = server.port};
    reply_init(r);
    return verify_ask(c, &u, str_c(to), r);
}

static void cases(struct conf *c)
{
    struct reply r;
    scripted(NULL, NULL, NULL, NULL);
    CHECK(ask(c, "a@b.test", &r) == VERIFY_OK);
    while (strcmp(server.said, "EHLO mx.us.test|MAIL FROM:<>|RCPT TO:<a@b.test>|QUIT|") != 0)
        CHECK(fiber_sleep(rt_after(10 * RT_MS)) == OK); /* its QUIT is on the way */
    int n = server.connections;
    scripted(NULL, NULL, NULL, "550 5.1.1 no such user");
    CHECK(ask(c, "A@b.test", &r) == VERIFY_OK && server.connections == n); /* remembered */
    CHECK(ask(c, "x@b.test", &r) == VERIFY_UNKNOWN && r.code == 550 && strcmp(r.esc, "5.1.1") == 0);
    CHECK(ask(c, "x@b.test", &r) == VERIFY_UNKNOWN && r.code == 550 && server.connections == n + 1);
    CHECK(str_eq(reply_text(&r), S("no such user")));
    scripted(NULL, NULL, NULL, "451 4.2.0 later");
    CHECK(ask(c, "l@b.test", &r) == VERIFY_LATER && r.code == 451);
    CHECK(ask(c, "l@b.test", &r) == VERIFY_LATER && server.connections == n + 3); /* not remembered */
    scripted(NULL, NULL, NULL, NULL);
    CHECK(ask(c, "\xc3\xbc@b.test", &r) == VERIFY_OK);
    CHECK(strstr(server.said, "MAIL FROM:<> SMTPUTF8|"));
    CHECK(verify_count() == 3);
    CHECK(fiber_sleep(rt_after(2200 * RT_MS)) == OK); /* a no is remembered for two seconds here */
    CHECK(ask(c, "x@b.test", &r) == VERIFY_OK);
}

static void failures(struct conf *c)
{
    struct reply r;
    static const char *const bad[][4] = {{"554 no", NULL, NULL, NULL},  {NULL, "502 no", NULL, NULL},
                                         {NULL, NULL, "451 no", NULL},  {NULL, NULL, NULL, "close"},
                                         {NULL, NULL, NULL, "rubbish"}, {NULL, NULL, NULL, "354 what"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char to[40];
        snprintf(to, sizeof to, "f%zu@b.test", i);
        scripted(bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
        CHECK(ask(c, to, &r) == VERIFY_DOWN);
        scripted(NULL, NULL, NULL, NULL);
        char fresh[40];
        snprintf(fresh, sizeof fresh, "fresh%zu@b.test", i);
        CHECK(ask(c, fresh, &r) == VERIFY_OK); /* the switch stays closed */
        if (i == 0)
            CHECK(ask(c, to, &r) == VERIFY_OK);
    }
    scripted(NULL, NULL, NULL, "hang");
    rt_time start = rt_now_fresh();
    CHECK(ask(c, "hang@b.test", &r) == VERIFY_DOWN);
    CHECK(rt_now_fresh() - start < 50 * RT_S);
}

static void all(void *arg, int index)
{
    (void)arg;
    (void)index;
    test_names = (const struct test_name[]){{NULL, 0, NULL}};
    CHECK(dns_setup(&(struct dns_config){.timeout = RT_S}) == OK);
    struct conf *c = test_conf("/tmp", S("hostname = \"mx.us.test\" listener mx { address = \"127.0.0.1:2525\" }\n"
                                         "policy { verify-time = 5s verify-keep-unknown = 2s verify-entries = 100 }"));
    server_begin();
    cases(c);
    failures(c);
    for (int i = 0; i < 200; i++) { /* bounded */
        char to[40];
        struct reply r;
        scripted(NULL, NULL, NULL, NULL);
        snprintf(to, sizeof to, "u%d@b.test", i);
        CHECK(ask(c, to, &r) == VERIFY_OK && verify_count() <= 100);
    }
    io_close(&server.listener);
    struct reply r;
    int down = 0;
    for (int i = 0; i < 10; i++) {
        char to[40];
        snprintf(to, sizeof to, "d%d@b.test", i);
        down += ask(c, to, &r) == VERIFY_DOWN;
    }
    CHECK(down == 10 && event_count(EV_verify_failed) <= 7 + FAILURES); /* after these nobody was asked */
    conf_drop(&c);
    dns_end();
    rt_stop();
}

static void probes(void **state)
{
    (void)state;
    dns_backend = &test_backend;
    world(1, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(probes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
