/* Look-ups through libunbound and the cache, against a server of the test's own on loopback. */
#include "rt/test_world.h"

#include "net/test_dns.h"

#include <pthread.h>
#include <sys/stat.h>

enum { PORT = 24010, SILENT = 99 };

/* ---- the server: a thread that answers from a table --------------------------------------------------- */

static const struct zone {
    const char *name;
    unsigned type, code, ttl;
    const char *data; /* of a name type: the name; "-": no record */
    size_t n;
} zone[] = {
    {"a.example.com", DNS_A, 0, 60, "\x7f\0\0\5", 4},
    {"a.test", DNS_A, 0, 60, "\x7f\0\0\1", 4},
    {"a.test", DNS_AAAA, 0, 60, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16},
    {"a.test", DNS_TXT, 0, 60, "\7v=spf1 \4-all", 13},
    {"a.test", DNS_MX, 0, 60, "mx.a.test", 0},
    {"null.test", DNS_MX, 0, 60, "", 0},
    {"a.test", DNS_TLSA, 0, 60, "\3\1\1\1\2\3\4", 7},
    {"alias.test", DNS_A, 0, 60, "CNAME a.test", 0},
    {"dead-alias.test", DNS_A, 3, 60, "CNAME gone.test", 0},
    {"nodata.test", DNS_A, 0, 60, "-", 0},
    {"gone.test", DNS_A, 3, 60, "-", 0},
    {"x.home.arpa", DNS_A, 0, 60, "\x7f\0\0\6", 4},
    {"x.invalid", DNS_A, 0, 60, "\x7f\0\0\7", 4},
    {"fail.test", DNS_A, 2, 60, "-", 0},
    {"refused.test", DNS_A, 5, 60, "-", 0},
    {"slow.test", DNS_A, SILENT, 60, "-", 0},
    {"xn--bcher-kva.test", DNS_A, 0, 60, "\x7f\0\0\4", 4},
    {"zero.test", DNS_A, 0, 0, "\x7f\0\0\1", 4},
    {"2.0.0.127.in-addr.arpa", DNS_PTR, 0, 60, "two.test", 0},
    {"two.test", DNS_A, 0, 60, "\x7f\0\0\2", 4},
    {"3.0.0.127.in-addr.arpa", DNS_PTR, 0, 60, "liar.test", 0},
    {"liar.test", DNS_A, 0, 60, "\x7f\0\0\2", 4},
};

static atomic_int asked;
static atomic_bool stop_server;

static const struct zone *find_zone(const char *name, unsigned type)
{
    for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++)
        if (zone[i].type == type && strcmp(zone[i].name, name) == 0)
            return &zone[i];
    return NULL;
}

/* False: no answer. */
static bool reply_to(const char *q, size_t n, struct msg *m)
{
    char name[300] = "";
    size_t at = 12, k = 0;
    while (at < n && q[at]) {
        for (int i = (uint8_t)q[at++]; i; i--)
            name[k++] = ascii_lower(q[at++]);
        name[k++] = '.';
    }
    name[k ? k - 1 : 0] = 0;
    unsigned type = (unsigned)((uint8_t)q[at + 1] << 8 | (uint8_t)q[at + 2]);
    const struct zone *z = find_zone(name, type);
    atomic_fetch_add(&asked, 1);
    if (z && z->code == SILENT)
        return false;
    msg_begin(m, (unsigned)((uint8_t)q[0] << 8 | (uint8_t)q[1]), z ? z->code : 0, name, type);
    if (!z || z->data[0] == '-') {
        rr_soa(m, "test", 20, 20);
    } else if (strncmp(z->data, "CNAME ", 6) == 0) {
        rr_name(m, "@12", DNS_CNAME, z->ttl, z->data + 6);
        const struct zone *to = find_zone(z->data + 6, type);
        if (to && to->n)
            rr_bytes(m, to->name, type, to->ttl, str_mem(to->data, to->n));
        else
            rr_soa(m, "test", 20, 20);
    } else if (type == DNS_MX) {
        rr_mx(m, "@12", z->ttl, z->data[0] ? 10 : 0, z->data);
    } else if (type == DNS_PTR) {
        rr_name(m, "@12", DNS_PTR, z->ttl, z->data);
    } else {
        rr_bytes(m, "@12", type, z->ttl, str_mem(z->data, z->n));
    }
    return true;
}

static void *serve(void *arg)
{
    static struct msg m;
    int fd = *(int *)arg;
    char q[1500];
    struct sockaddr_storage from;
    while (!atomic_load(&stop_server)) {
        socklen_t n = sizeof from;
        ssize_t got = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &n);
        if (got > 12 && reply_to(q, (size_t)got, &m))
            sendto(fd, m.mem, m.b.n, 0, (struct sockaddr *)&from, n);
    }
    return NULL;
}

static int server_fd;
static pthread_t server_thread;
static struct sockaddr_storage server_at;

static void server_start(void)
{
    struct ip_port at;
    struct timeval tv = {.tv_usec = 50000};
    CHECK(ip_port_parse(S("127.0.0.1:24010"), 0, &at));
    socklen_t n = ip_to_sockaddr(&at, &server_at);
    server_fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind(server_fd, (struct sockaddr *)&server_at, n) == 0);
    setsockopt(server_fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    CHECK(pthread_create(&server_thread, NULL, serve, &server_fd) == 0);
}

static void server_end(void)
{
    atomic_store(&stop_server, true);
    pthread_join(server_thread, NULL);
    close(server_fd);
}

/* ---- questions ------------------------------------------------------------------------------------------ */

static const struct question {
    const char *name;
    enum dns_type type;
    err e;
    const char *data, *canonical;
    size_t n;
} questions[] = {
    {"a.test", DNS_A, OK, "\x7f\0\0\1", "a.test", 4},
    {"A.Test.", DNS_A, OK, "\x7f\0\0\1", "a.test", 4},
    {"a.test", DNS_AAAA, OK, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "a.test", 16},
    {"a.test", DNS_TXT, OK, "v=spf1 -all", "a.test", 11},
    {"a.test", DNS_MX, OK, "mx.a.test", "a.test", 9},
    {"a.test", DNS_TLSA, OK, "\3\1\1\1\2\3\4", "a.test", 7},
    {"null.test", DNS_MX, OK, "", "null.test", 0},
    {"alias.test", DNS_A, OK, "\x7f\0\0\1", "a.test", 4},
    {"a.example.com", DNS_A, OK, "\x7f\0\0\5", "a.example.com", 4},
    {"x.home.arpa", DNS_A, OK, "\x7f\0\0\6", "x.home.arpa", 4},
    {"x.invalid", DNS_A, OK, "\x7f\0\0\7", "x.invalid", 4},
    {"b\xc3\xbc"
     "cher.test",
     DNS_A, OK, "\x7f\0\0\4", "xn--bcher-kva.test", 4},
    {"localhost", DNS_A, OK, "\x7f\0\0\1", "localhost", 4},
    {"named.test", DNS_A, OK, "\x0a\1\2\3", "named.test", 4},
    {"dead-alias.test", DNS_A, E_DNS_NONE, "", "", 0},
    {"gone.test", DNS_A, E_DNS_NONE, "", "", 0},
    {"nodata.test", DNS_A, E_DNS_NODATA, "", "", 0},
    {"a.test", DNS_PTR, E_DNS_NODATA, "", "", 0},
    {"fail.test", DNS_A, E_DNS_TEMP, "", "", 0},
    {"refused.test", DNS_A, E_DNS_TEMP, "", "", 0},
    {"a\\.b.test", DNS_A, E_SYNTAX, "", "", 0},
    {"", DNS_MX, E_SYNTAX, "", "", 0},
    {"a.test", (enum dns_type)6, E_BUG, "", "", 0},
};

static void ask(const struct question *q)
{
    struct arena a;
    struct dns_answer ans = {0};
    arena_init(&a, 1024, DNS_ANSWER_MAX);
    err e = dns_lookup(str_c(q->name), q->type, &a, &ans);
    if (e != q->e)
        fprintf(stderr, "%s: %s\n", q->name, err_name(e));
    CHECK(e == q->e);
    if (e == OK) {
        CHECK(ans.n == 1 && str_eq(ans.v[0].data, str_mem(q->data, q->n)));
        CHECK(str_eq(ans.canonical, str_c(q->canonical)) && !ans.secure);
        CHECK(q->type != DNS_MX || ans.v[0].preference == (q->n ? 10 : 0));
    }
    arena_free(&a);
}

static void setup(rt_time timeout)
{
    struct dns_config c = {
        .servers = &server_at, .nservers = 1, .hosts = S("10.1.2.3 named.test\n"), .timeout = timeout};
    CHECK(dns_setup(&c) == OK);
}

static int waiting;

static void ask_shared(void *arg)
{
    struct question q = {"two.test", DNS_A, OK, "\x7f\0\0\2", "two.test", 4};
    (void)arg;
    ask(&q);
    waiting--;
}

static void ask_slow(void *arg)
{
    rt_time t = rt_now();
    struct question q = {"slow.test", DNS_A, E_DNS_TEMP, "", "", 0};
    (void)arg;
    ask(&q);
    CHECK(rt_now() - t > 80 * RT_MS && rt_now() - t < 1000 * RT_MS);
    waiting--;
}

static void wait_all(void)
{
    while (waiting)
        fiber_sleep(rt_after(2 * RT_MS));
}

static void test_sharing(void)
{
    int before = atomic_load(&asked);
    for (waiting = 0; waiting < 20; waiting++)
        CHECK(fiber_spawn(ask_shared, NULL, "asker"));
    wait_all();
    CHECK(atomic_load(&asked) == before + 1);
    ask_shared((waiting = 1, NULL));
    CHECK(atomic_load(&asked) == before + 1);
    struct question zero = {"zero.test", DNS_A, OK, "\x7f\0\0\1", "zero.test", 4};
    ask(&zero);
    CHECK(atomic_load(&asked) == before + 2);
}

/* A silent server ends at our own deadline; other names go on being answered; a reload in between is fine. */
static void test_silence(void)
{
    struct question q = {"a.test", DNS_A, OK, "\x7f\0\0\1", "a.test", 4};
    for (waiting = 0; waiting < 3; waiting++)
        CHECK(fiber_spawn(ask_slow, NULL, "asker"));
    dns_cache_clear();
    ask(&q);
    struct dns_config c = {.servers = &server_at,
                           .nservers = 1,
                           .validate = false,
                           .timeout = 100 * RT_MS,
                           .resolv_conf = S("another world")};
    CHECK(dns_setup(&c) == OK);
    ask(&q);
    wait_all();
    ask(&q);
}

static void test_reverse(void)
{
    static const struct {
        const char *address, *name;
        err e;
    } cases[] = {
        {"127.0.0.2:1", "two.test", OK},
        {"127.0.0.3:1", "", E_DNS_NODATA},
        {"10.1.2.3:1", "named.test", OK},
        {"127.0.0.9:1", "", E_DNS_NODATA},
    };
    for (size_t i = 0; i < 4; i++) {
        struct ip_port at;
        struct sockaddr_storage sa;
        struct arena a;
        str name;
        arena_init(&a, 1024, 65536);
        CHECK(ip_port_parse(str_c(cases[i].address), 0, &at));
        ip_to_sockaddr(&at, &sa);
        CHECK(dns_reverse(&sa, &a, &name) == cases[i].e);
        CHECK(cases[i].e || str_eq(name, str_c(cases[i].name)));
        arena_free(&a);
    }
}

static void all_cases(void *arg, int index)
{
    (void)arg, (void)index;
    rt_log_setup(LOG_ERROR, false, 2);
    server_start();
    setup(2 * RT_S);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        ask(&questions[i]);
    test_sharing();
    test_reverse();
    setup(100 * RT_MS);
    test_silence();
    dns_end();
    dns_end();
    dns_cache_clear();
    server_end();
    rt_stop();
}

static void test_lookups(void **state)
{
    (void)state;
    world(1, all_cases);
}

/* ---- settings that are wrong; validation without any server -------------------------------------------------- */

static void bad_settings(void *arg, int index)
{
    (void)arg, (void)index;
    struct sockaddr_storage none = {.ss_family = AF_UNIX};
    struct dns_config c = {.servers = &none, .nservers = 1};
    CHECK(dns_setup(&c) == E_SYNTAX);
    c = (struct dns_config){.resolv_conf = S("nameserver 127.0.0.1\n"), .validate = true, .anchor = S("nonsense\n")};
    CHECK(dns_setup(&c) == E_SYNTAX);
    c.anchor = (str){0};
    CHECK(dns_setup(&c) == OK);
    dns_end();
    rt_stop();
}

static void test_settings(void **state)
{
    (void)state;
    world(1, bad_settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_lookups)};
    return cmocka_run_group_tests_name("net/dns", tests, NULL, NULL);
}
