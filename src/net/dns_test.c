/* Look-ups through libunbound and the cache, against a server of the test's own on loopback. */
#include "rt/test_world.h"

#include "conf/conf.h"
#include "net/test_dns.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>

enum { SILENT = 99 };

/* ---- the server: a thread that answers from a table --------------------------------------------------- */

/* A zone signed for this test (ECDSA P-256; until 2037): its key, the signatures of the key and of an address. */
#define ANCHOR                                                                                                         \
    "signed.test. IN DNSKEY 257 3 13 "                                                                                 \
    "bisICWE60Uks9bcaUpqJB08OkrWRZHID6P1d5HYfsP64Tig2T0r4whb9vbV43dRf3Pl3XI3/QhZgvvMhCIi/tg==\n"
#define KEY                                                                                                            \
    "\x01\x01\x03\x0d\x6e\x2b\x08\x09\x61\x3a\xd1\x49\x2c\xf5\xb7\x1a\x52\x9a\x89\x07\x4f\x0e\x92\xb5"                 \
    "\x91\x64\x72\x03\xe8\xfd\x5d\xe4\x76\x1f\xb0\xfe\xb8\x4e\x28\x36\x4f\x4a\xf8\xc2\x16\xfd\xbd\xb5"                 \
    "\x78\xdd\xd4\x5f\xdc\xf9\x77\x5c\x8d\xff\x42\x16\x60\xbe\xf3\x21\x08\x88\xbf\xb6"
#define KEY_SIG                                                                                                        \
    "\x00\x30\x0d\x02\x00\x00\x0e\x10\x7f\x8d\xcf\x00\x5e\x0b\xe1\x00\x4a\xb2\x06\x73\x69\x67\x6e\x65"                 \
    "\x64\x04\x74\x65\x73\x74\x00\xb7\xd6\x6a\xa2\x75\x22\x44\x2b\x8c\x3b\x04\xc3\x99\x23\x30\x75\xb2"                 \
    "\x9b\x78\x7e\xb7\xca\xe4\x7e\xa5\xcb\x3e\x7c\x19\xa2\xd8\x84\xd8\x85\x79\xd8\x18\xda\x26\x3f\x98"                 \
    "\x3c\x71\x94\xad\x30\x8b\x60\xdf\x53\x3c\x4f\xd5\xaf\xe7\x95\x31\x21\x45\x2f\x13\x2f\xe7\x23"
#define A_SIG                                                                                                          \
    "\x00\x01\x0d\x03\x00\x00\x0e\x10\x7f\x8d\xcf\x00\x5e\x0b\xe1\x00\x4a\xb2\x06\x73\x69\x67\x6e\x65"                 \
    "\x64\x04\x74\x65\x73\x74\x00\xae\x50\x3c\xe7\xa2\xb3\xc8\x50\x71\xd9\x80\x5e\xb4\xc9\x47\xb0\xb9"                 \
    "\x5c\x16\xd7\x7b\xe5\x05\x13\x67\x70\x96\xdd\x46\x75\x1d\x52\x8a\xbc\x10\xc8\x98\x30\xc3\x75\xb6"                 \
    "\xd1\x48\xfa\x87\x53\x3f\x25\x7e\xc8\x41\xc3\x7b\x16\xb4\x26\x15\x2c\x63\xb2\x7e\x06\xdb\x8e"
enum { DNSKEY = 48, RRSIG = 46, KEY_N = 68, KEY_SIG_N = 95, A_SIG_N = 95, TRUNCATED = 98 };

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
    {"mute.test", DNS_A, SILENT, 60, "-", 0},
    {"xn--bcher-kva.test", DNS_A, 0, 60, "\x7f\0\0\4", 4},
    {"zero.test", DNS_A, 0, 0, "\x7f\0\0\1", 4},
    {"2.0.0.127.in-addr.arpa", DNS_PTR, 0, 60, "two.test", 0},
    {"two.test", DNS_A, 0, 60, "\x7f\0\0\2", 4},
    {"3.0.0.127.in-addr.arpa", DNS_PTR, 0, 60, "liar.test", 0},
    {"liar.test", DNS_A, 0, 60, "\x7f\0\0\2", 4},
    {"tcp.test", DNS_A, TRUNCATED, 60, "\x7f\0\0\3", 4},
    {"signed.test", DNSKEY, 0, 3600, KEY, KEY_N},
    {"signed.test", RRSIG + DNSKEY, 0, 3600, KEY_SIG, KEY_SIG_N},
    {"ok.signed.test", DNS_A, 0, 3600, "\x7f\0\0\x08", 4},
    {"ok.signed.test", RRSIG + DNS_A, 0, 3600, A_SIG, A_SIG_N},
    {"bad.signed.test", DNS_A, 0, 3600, "\x7f\0\0\x08", 4},
    {"bad.signed.test", RRSIG + DNS_A, 0, 3600, A_SIG, A_SIG_N},
    {"unsigned.signed.test", DNS_A, 0, 3600, "\x7f\0\0\x08", 4},
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
static bool reply_to(const char *q, size_t n, bool tcp, struct msg *m)
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
    bool cut = z && z->code == TRUNCATED && !tcp;
    msg_begin(m, (unsigned)((uint8_t)q[0] << 8 | (uint8_t)q[1]), z && z->code < 16 ? z->code : 0, name, type);
    if (cut) {
        m->mem[2] |= 2;
        return true;
    }
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
        const struct zone *sig = find_zone(name, RRSIG + type);
        if (sig)
            rr_bytes(m, "@12", RRSIG, sig->ttl, str_mem(sig->data, sig->n));
    }
    return true;
}

/* One question over TCP. */
static void serve_tcp(int fd, struct msg *m)
{
    char q[1500];
    struct timeval tv = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    ssize_t got = recv(fd, q, 2, MSG_WAITALL);
    size_t n = (size_t)((uint8_t)q[0] << 8 | (uint8_t)q[1]);
    if (got == 2 && n <= sizeof q && recv(fd, q, n, MSG_WAITALL) == (ssize_t)n && reply_to(q, n, true, m)) {
        char head[2] = {(char)(m->b.n >> 8), (char)m->b.n};
        CHECK(send(fd, head, 2, 0) == 2);
        /* In two parts, so that the reader has to wait. */
        CHECK(send(fd, m->mem, 10, 0) == 10);
        usleep(2000);
        CHECK(send(fd, m->mem + 10, m->b.n - 10, 0) == (ssize_t)m->b.n - 10);
    }
    close(fd);
}

static void *serve(void *arg)
{
    static struct msg m;
    const int *fd = arg;
    char q[1500];
    struct sockaddr_storage from;
    struct pollfd p[2] = {{fd[0], POLLIN, 0}, {fd[1], POLLIN, 0}};
    while (!atomic_load(&stop_server)) {
        socklen_t n = sizeof from;
        if (poll(p, 2, 50) <= 0)
            continue;
        if (p[1].revents) {
            serve_tcp(accept(fd[1], NULL, NULL), &m);
            continue;
        }
        ssize_t got = recvfrom(fd[0], q, sizeof q, MSG_DONTWAIT, (struct sockaddr *)&from, &n);
        if (got > 12 && reply_to(q, (size_t)got, false, &m))
            sendto(fd[0], m.mem, m.b.n, 0, (struct sockaddr *)&from, n);
    }
    return NULL;
}

static int server_fd[2]; /* UDP, TCP */
static pthread_t server_thread;
static struct sockaddr_storage server_at;

static void server_start(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof any;
    server_fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(server_fd[1], (struct sockaddr *)&any, n) == 0);
    CHECK(getsockname(server_fd[1], (struct sockaddr *)&server_at, &n) == 0);
    server_fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind(server_fd[0], (struct sockaddr *)&server_at, n) == 0);
    CHECK(listen(server_fd[1], 10) == 0);
    CHECK(pthread_create(&server_thread, NULL, serve, server_fd) == 0);
}

static void server_end(void)
{
    atomic_store(&stop_server, true);
    pthread_join(server_thread, NULL);
    close(server_fd[0]);
    close(server_fd[1]);
}

/* ---- questions ------------------------------------------------------------------------------------------ */

static const struct question {
    const char *name;
    enum dns_type type;
    err e;
    const char *data, *canonical;
    size_t n;
    bool secure;
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
    {"tcp.test", DNS_A, OK, "\x7f\0\0\3", "tcp.test", 4},
    {"ok.signed.test", DNS_A, OK, "\x7f\0\0\x08", "ok.signed.test", 4},
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
        CHECK(str_eq(ans.canonical, str_c(q->canonical)) && ans.secure == q->secure);
        CHECK(q->type != DNS_MX || ans.v[0].preference == (q->n ? 10 : 0));
    }
    arena_free(&a);
}

#define PLENTY (60 * RT_S) /* where an answer comes, however busy the machine is */
#define LITTLE (2 * RT_S)  /* where none comes */

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
    CHECK(rt_now() - t > LITTLE * 4 / 5 && rt_now() - t < LITTLE + 30 * RT_S);
    waiting--;
}

static void wait_all(void)
{
    while (waiting)
        fiber_sleep(rt_after(2 * RT_MS));
}

/* One wait for all of them: two that nobody answers take no longer than one; what is known at once is known. */
static void test_together(void)
{
    static const struct question v[] = {
        {"mute.test", DNS_A, E_DNS_TEMP, "", "", 0},
        {"zero.test", DNS_A, OK, "\x7f\0\0\1", "zero.test", 4},
        {"a\\.b.test", DNS_A, E_SYNTAX, "", "", 0},
        {"mute.test", DNS_A, E_DNS_TEMP, "", "", 0},
    };
    enum { N = sizeof v / sizeof *v };
    struct dns_call c[N];
    struct arena a;
    int before = atomic_load(&asked);
    rt_time t = rt_now();
    arena_init(&a, 1024, DNS_ANSWER_MAX);
    for (size_t i = 0; i < N; i++)
        c[i] = (struct dns_call){.q = {str_c(v[i].name), v[i].type, t + LITTLE, false}, .a = &a};
    dns_ask_all(c, N);
    for (size_t i = 0; i < N; i++)
        CHECK(c[i].e == v[i].e && (c[i].e || str_eq(c[i].answer.v[0].data, str_mem(v[i].data, v[i].n))));
    CHECK(rt_now() - t < LITTLE * 3 / 2 && atomic_load(&asked) >= before + 2);
    dns_ask_all(c, 0);
    arena_free(&a);
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
    struct dns_config c = {
        .servers = &server_at, .nservers = 1, .validate = false, .timeout = LITTLE, .resolv_conf = S("another world")};
    CHECK(dns_setup(&c) == OK);
    ask(&q);
    wait_all();
    ask(&q);
}

static void test_validation(void)
{
    static const struct question cases[] = {
        {"ok.signed.test", DNS_A, OK, "\x7f\0\0\x08", "ok.signed.test", 4, true},
        {"bad.signed.test", DNS_A, E_DNS_BOGUS, "", "", 0},
        {"unsigned.signed.test", DNS_A, E_DNS_BOGUS, "", "", 0},
        {"a.test", DNS_A, OK, "\x7f\0\0\1", "a.test", 4},
    };
    struct dns_config c = {
        .servers = &server_at, .nservers = 1, .validate = true, .anchor = S(ANCHOR "; a comment\n\n")};
    CHECK(dns_setup(&c) == OK);
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            ask(&cases[i]);
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

/* A session that ends its transaction while the server stops still gets answers, and silence keeps nobody. */
static void test_stopping(void)
{
    struct question q = {"a.test", DNS_A, OK, "\x7f\0\0\1", "a.test", 4};
    dns_cache_clear();
    rt_stop();
    fiber_sleep(rt_after(RT_S));
    CHECK(fiber_cancelled());
    struct arena a;
    struct dns_answer ans;
    arena_init(&a, 1024, DNS_ANSWER_MAX);
    CHECK(dns_lookup(S("a.test"), DNS_A, &a, &ans) == E_CANCELLED);
    arena_free(&a);
    fiber_shield(true);
    ask(&q);
    waiting = 1;
    ask_slow(NULL);
}

static void all_cases(void *arg, int index)
{
    (void)arg, (void)index;
    rt_log_setup(LOG_ERROR, false, 2);
    server_start();
    setup(PLENTY);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        ask(&questions[i]);
    test_together();
    test_sharing();
    test_reverse();
    test_validation();
    setup(LITTLE);
    test_silence();
    test_stopping();
    dns_end();
    dns_end();
    dns_cache_clear();
    server_end();
}

static void test_lookups(void **state)
{
    (void)state;
    world(1, all_cases);
}

/* Two loops that ask the same, from one cache. */
static atomic_int loops_ready, loops_done;

static void one_of_two(void *arg, int index)
{
    (void)arg;
    rt_log_setup(LOG_ERROR, false, 2);
    if (index == 0)
        server_start();
    atomic_fetch_add(&loops_ready, 1);
    while (atomic_load(&loops_ready) < 2)
        fiber_sleep(rt_after(RT_MS));
    setup(PLENTY);
    for (int turn = 0; turn < 10; turn++)
        for (size_t i = 0; i < 16; i++)
            ask(&questions[i]);
    dns_end();
    if (atomic_fetch_add(&loops_done, 1) == 1) {
        server_end();
        dns_cache_clear();
        rt_stop();
    }
}

static void test_two_loops(void **state)
{
    (void)state;
    world(2, one_of_two);
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

/* ---- a resolver that cannot be made at once ------------------------------------------------------------------- */

static int opens;

static err open_late(struct dns_engine **ret, const struct dns_config *c)
{
    return ++opens < 3 ? E_NOMEM : dns_unbound.open(ret, c);
}

static err open_never(struct dns_engine **ret, const struct dns_config *c)
{
    (void)ret, (void)c;
    opens++;
    return E_SYNTAX;
}

/* Short of memory it tries again by itself; what is wrong in the configuration waits for another one. */
static void follows_later(void *arg, int index)
{
    (void)arg, (void)index;
    struct dns_backend late = dns_unbound;
    struct conf c = {.refs = 1, .hosts = S("192.0.2.77 late.test\n")};
    struct dns_answer r;
    struct arena a;
    arena_init(&a, 1024, 1 << 20);
    rt_log_setup(LOG_ERROR, false, 2);
    dns_backend = &late;
    late.open = open_never;
    dns_follow(&c);
    CHECK(opens == 1 && c.refs == 1);
    opens = 0;
    late.open = open_late;
    dns_follow(&c);
    CHECK(opens == 1 && c.refs == 2);
    CHECK(dns_lookup(S("late.test"), DNS_A, &a, &r) != OK);
    while (opens < 3)
        fiber_sleep(rt_after(10 * RT_MS));
    CHECK(dns_lookup(S("late.test"), DNS_A, &a, &r) == OK);
    arena_free(&a);
    dns_end();
    CHECK(c.refs == 1);
    dns_backend = &dns_unbound;
    rt_stop();
}

/* A back end that knows no name. */
static struct dns_engine *const knows_none[] = {(void *)&knows_none[0], (void *)&knows_none[1], (void *)&knows_none[2]};
static struct dns_engine *closed;

static err none_open(struct dns_engine **ret, const struct dns_config *c)
{
    (void)c;
    *ret = knows_none[opens++];
    return OK;
}
static void none_say(struct post *p)
{
    dns_answered(container_of(p, struct dns_flight, post), &(struct dns_reply){.e = E_DNS_NONE});
}
static void none_ask(struct dns_engine *e, struct dns_flight *f)
{
    (void)e;
    f->post.run = none_say;
    rt_post(rt_self(), &f->post);
}
static void none_close(struct dns_engine *e) { closed = e; }

/* After many questions, and a while without any, another back end takes the place of the first; after few it stays. */
static void begins_anew(void *arg, int index)
{
    (void)arg, (void)index;
    struct dns_backend none = {.open = none_open, .ask = none_ask, .close = none_close};
    struct conf c = {.refs = 1};
    struct dns_answer r;
    struct arena a;
    char name[32];
    opens = 0;
    dns_backend = &none;
    dns_follow(&c);
    for (int i = 0; i <= 10000; i++) {
        (void)snprintf(name, sizeof name, "n%d.test", i);
        arena_init(&a, 1024, 1 << 20);
        CHECK(dns_lookup(str_c(name), DNS_A, &a, &r) == E_DNS_NONE);
        arena_free(&a);
        CHECK(opens == 1);
    }
    while (opens == 1)
        fiber_sleep(rt_after(10 * RT_MS));
    CHECK(opens == 2 && closed == knows_none[0]);
    arena_init(&a, 1024, 1 << 20);
    CHECK(dns_lookup(S("one.more.test"), DNS_A, &a, &r) == E_DNS_NONE);
    arena_free(&a);
    fiber_sleep(rt_after(RT_S));
    CHECK(opens == 2);
    dns_end();
    CHECK(closed == knows_none[1] && c.refs == 1);
    dns_backend = &dns_unbound;
    rt_stop();
}

static void test_follow(void **state)
{
    (void)state;
    world(1, follows_later);
}

static void test_anew(void **state)
{
    (void)state;
    world(1, begins_anew);
}

static void test_settings(void **state)
{
    (void)state;
    world(1, bad_settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_follow),
                                       cmocka_unit_test(test_anew), cmocka_unit_test(test_lookups),
                                       cmocka_unit_test(test_two_loops)};
    return cmocka_run_group_tests_name("net/dns", tests, NULL, NULL);
}
