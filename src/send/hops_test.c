/* Which addresses are tried for a way, and in what order: DNS is a table. */
#include "send/test_fakes.h"

#include "net/test_dns.h"

#include <arpa/inet.h>

/* name, type, then for MX "preference host", for A and AAAA the address; code 3 NXDOMAIN, 2 SERVFAIL */
static const struct zone {
    const char *name, *type, *data;
} zone[] = {
    {"two.test", "MX", "20 mx2.two.test"},
    {"two.test", "MX", "10 mx1.two.test"},
    {"mx1.two.test", "A", "192.0.2.1"},
    {"mx1.two.test", "AAAA", "2001:db8::1"},
    {"mx2.two.test", "A", "192.0.2.2"},
    {"implicit.test", "A", "192.0.2.3"},
    {"null.test", "MX", "0 ."},
    {"null.test", "A", "192.0.2.4"},
    {"nullandmore.test", "MX", "0 ."},
    {"nullandmore.test", "MX", "10 mx2.two.test"},
    {"gone.test", "", "NXDOMAIN"},
    {"fail.test", "", "SERVFAIL"},
    {"empty.test", "TXT", ""},
    {"dead.test", "MX", "10 none.test"},
    {"half.test", "MX", "10 fail.test"},
    {"half.test", "MX", "20 mx2.two.test"},
    {"failed.test", "MX", "10 fail.test"},
    {"failed.test", "MX", "20 gone.test"},
    {"alias.test", "CNAME", "two.test"},
    {"byalias.test", "MX", "10 mxalias.test"},
    {"mxalias.test", "CNAME", "mx2.two.test"},
    {"us.test", "MX", "10 mx1.two.test"},
    {"us.test", "MX", "20 RELAY.test"},
    {"us.test", "MX", "20 mx2.two.test"},
    {"us.test", "MX", "30 mx2.two.test"},
    {"best.test", "MX", "10 relay.test"},
    {"best.test", "MX", "20 mx2.two.test"},
    {"helo.test", "MX", "10 name.test"},
    {"lname.test", "MX", "10 listener.test"},
    {"here.test", "MX", "10 here.test"},
    {"here.test", "A", "198.51.100.7"},
    {"here2.test", "MX", "10 mx1.two.test"},
    {"here2.test", "MX", "20 mx2.two.test"},
    {"here2.test", "MX", "20 here.test"},
    {"private.test", "A", "10.1.2.3"},
    {"local.test", "A", "127.0.0.1"},
    {"mixed.test", "A", "10.1.2.3"},
    {"mixed.test", "A", "192.0.2.9"},
    {"multi.test", "A", "224.0.0.1"},
    {"zero.test", "A", "0.0.0.0"},
    {"many.test", "MX", "10 m1.test"},
    {"many.test", "MX", "20 mx2.two.test"},
    {"m1.test", "A", "192.0.2.20"},
    {"m1.test", "A", "192.0.2.21"},
    {"m1.test", "A", "192.0.2.22"},
    {"m1.test", "A", "192.0.2.23"},
    {"m1.test", "A", "192.0.2.24"},
    {"m1.test", "A", "192.0.2.25"},
    {"m1.test", "A", "192.0.2.26"},
    {"m1.test", "A", "192.0.2.27"},
    {"m1.test", "A", "192.0.2.28"},
    {"m1.test", "A", "192.0.2.29"},
    {"xn--bcher-kva.test", "A", "192.0.2.30"},
    /* names below sec.test are signed; TLSA: usage, selector, matching, then octets of one value, as many as needed */
    {"sec.test", "MX", "10 mx.sec.test"},
    {"mx.sec.test", "A", "192.0.2.60"},
    {"_25._tcp.mx.sec.test", "TLSA", "311 32"},
    {"_25._tcp.mx.sec.test", "TLSA", "202 64"},
    {"_25._tcp.mx.sec.test", "TLSA", "311 31"}, /* too short for its hash */
    {"_25._tcp.mx.sec.test", "TLSA", "011 32"}, /* PKIX usages do not count */
    {"unusable.sec.test", "A", "192.0.2.61"},
    {"_25._tcp.unusable.sec.test", "TLSA", "111 32"},
    {"none.sec.test", "A", "192.0.2.62"},
    {"failing.sec.test", "A", "192.0.2.63"},
    {"_25._tcp.failing.sec.test", "", "SERVFAIL"},
    {"second.sec.test", "MX", "10 failing.sec.test"},
    {"second.sec.test", "MX", "20 mx.sec.test"},
    {"byname.sec.test", "MX", "10 other.sec.test"},
    {"other.sec.test", "CNAME", "mx.sec.test"},
    {"mixed.sec.test", "MX", "10 unsigned.test"},
    {"unsigned.test", "A", "192.0.2.64"},
    {"_25._tcp.unsigned.test", "TLSA", "311 32"},
    {"toward.test", "MX", "10 mx.sec.test"},
};

static unsigned type_of(const char *word)
{
    static const struct {
        const char *word;
        unsigned type;
    } types[] = {{"MX", DNS_MX}, {"A", DNS_A}, {"AAAA", DNS_AAAA}, {"TLSA", DNS_TLSA}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(word, types[i].word) == 0)
            return types[i].type;
    return 0;
}

static void add_tlsa(struct msg *m, const struct zone *z)
{
    char octets[3 + 64] = {0};
    for (int i = 0; i < 3; i++)
        octets[i] = (char)(z->data[i] - '0');
    rr_bytes(m, z->name, DNS_TLSA, 60, str_mem(octets, 3 + strtoul(z->data + 4, NULL, 10)));
}

static void add_record(struct msg *m, const struct zone *z)
{
    char octets[16];
    unsigned type = type_of(z->type);
    if (type == DNS_MX) {
        char *host;
        unsigned preference = (unsigned)strtoul(z->data, &host, 10);
        rr_mx(m, z->name, 60, preference, host[1] == '.' ? "" : host + 1);
    } else if (type == DNS_TLSA) {
        add_tlsa(m, z);
    } else {
        CHECK(inet_pton(type == DNS_A ? AF_INET : AF_INET6, z->data, octets) == 1);
        rr_bytes(m, z->name, type, 60, str_mem(octets, type == DNS_A ? 4 : 16));
    }
}

static void answer(struct post *p)
{
    struct dns_flight *f = container_of(p, struct dns_flight, post);
    static struct msg m;
    unsigned code = 0;
    const char *name = f->name;
    bool any = false;
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
        if (strcmp(zone[i].name, f->name) == 0 && !zone[i].type[0])
            code = zone[i].data[0] == 'N' ? 3 : 2;
    msg_begin(&m, 1, code, f->name, f->type);
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
        if (strcmp(zone[i].name, f->name) == 0 && strcmp(zone[i].type, "CNAME") == 0) {
            rr_name(&m, f->name, DNS_CNAME, 60, zone[i].data);
            name = zone[i].data;
        }
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
        if (strcmp(zone[i].name, name) == 0 && type_of(zone[i].type) == f->type) {
            add_record(&m, &zone[i]);
            any = true;
        }
    if (!any)
        rr_soa(&m, "test", 1, 1);
    bool secure = str_ends(str_c(f->name), S("sec.test"));
    dns_answered(f, &(struct dns_reply){.packet = buf_str(&m.b), .secure = secure});
}

static err fake_open(struct dns_engine **ret, const struct dns_config *c)
{
    (void)c;
    *ret = (struct dns_engine *)&fake;
    return OK;
}
static void fake_ask(struct dns_engine *e, struct dns_flight *f)
{
    (void)e;
    f->post.run = answer;
    rt_post(rt_self(), &f->post);
}
static void fake_close(struct dns_engine *e) { (void)e; }
static const struct dns_backend table = {fake_open, fake_ask, fake_close};

/* ---- the cases ----------------------------------------------------------------------------------------------------
 */

#define LISTENERS                                                                                                      \
    "listener a { address = \"198.51.100.7:25\" }\nlistener b { address = \"0.0.0.0:2525\" hostname = "                \
    "\"listener.test\" }\n"                                                                                            \
    "send { helo = \"name.test\" }\n"

#define VALIDATE "dns { servers = {\"192.0.2.53\"}  validate = \"true\" }\n"

static const struct row {
    const char *conf, *key;
    const char *want; /* addresses in order, or the reply; '~' in front: in any order */
} rows[] = {
    {"", "mx two.test", "[2001:db8::1]:25 192.0.2.1:25 192.0.2.2:25"},
    {"send { mx-port = 2500 }\n", "mx two.test", "[2001:db8::1]:2500 192.0.2.1:2500 192.0.2.2:2500"},
    {"send { ipv = \"4\" }\n", "mx two.test", "192.0.2.1:25 192.0.2.2:25"},
    {"send { ipv = \"6\" }\n", "mx two.test", "[2001:db8::1]:25"},
    {"send { ipv = \"6\" }\n", "mx implicit.test",
     "550 5.4.4 implicit.test: the domain has no mail server with an address"},
    {"", "mx implicit.test", "192.0.2.3:25"},
    {"", "mx alias.test", "[2001:db8::1]:25 192.0.2.1:25 192.0.2.2:25"},
    {"", "mx byalias.test", "192.0.2.2:25"},
    {"", "mx xn--bcher-kva.test", "192.0.2.30:25"},
    {"", "mx null.test", "556 5.1.10 null.test: the domain accepts no mail (null MX)"},
    {"", "mx nullandmore.test", "192.0.2.2:25"},
    {"", "mx gone.test", "550 5.1.2 gone.test: the domain does not exist"},
    {"", "mx fail.test", "451 4.4.3 fail.test: DNS lookup failed"},
    {"", "mx empty.test", "550 5.4.4 empty.test: the domain has no mail server with an address"},
    {"", "mx dead.test", "550 5.4.4 dead.test: the domain has no mail server with an address"},
    {"", "mx half.test", "192.0.2.2:25"},
    {"", "mx failed.test", "451 4.4.3 failed.test: DNS lookup failed"},
    {"", "mx a..b", "550 5.1.2 a..b: this is not a domain name"},
    {"", "mx ", "550 5.1.2 : this is not a domain name"},
    {"", "mx us.test", "[2001:db8::1]:25 192.0.2.1:25"},
    {"", "mx best.test", "554 5.4.6 best.test: mail to this domain loops back to ourselves"},
    {LISTENERS, "mx helo.test", "554 5.4.6 helo.test: mail to this domain loops back to ourselves"},
    {LISTENERS, "mx lname.test", "554 5.4.6 lname.test: mail to this domain loops back to ourselves"},
    {LISTENERS, "mx here.test", "554 5.4.6 here.test: mail to this domain loops back to ourselves"},
    {LISTENERS, "mx here2.test", "[2001:db8::1]:25 192.0.2.1:25"},
    {"", "mx here.test", "198.51.100.7:25"},
    {"", "mx private.test", "550 5.4.4 private.test: the domain's mail servers have no public address"},
    {"private-targets = \"true\"\n", "mx private.test", "10.1.2.3:25"},
    {"dns { servers = {\"127.0.0.1:5353\"} }\n", "mx local.test", "127.0.0.1:25"},
    {"dns { servers = {\"192.0.2.53\"} }\n", "mx local.test",
     "550 5.4.4 local.test: the domain's mail servers have no public address"},
    {"", "mx mixed.test", "192.0.2.9:25"},
    {"private-targets = \"true\"\n", "mx multi.test",
     "550 5.4.4 multi.test: the domain's mail servers have no public address"},
    {"private-targets = \"true\"\n", "mx zero.test",
     "550 5.4.4 zero.test: the domain's mail servers have no public address"},
    {"", "mx many.test", "9"}, /* eight of the first host leave room for the second */
    {"", "mx [192.0.2.40]", "192.0.2.40:25"},
    {"", "mx [IPv6:2001:db8::40]", "[2001:db8::40]:25"},
    {"", "mx [127.0.0.1]", "550 5.4.4 [127.0.0.1]: the domain's mail servers have no public address"},
    {"", "mx [nonsense]", "550 5.1.2 [nonsense]: this is not a domain name"},
    {LISTENERS, "mx [198.51.100.7]", "554 5.4.6 [198.51.100.7]: mail to this domain loops back to ourselves"},

    /* backup: DNS of our own domain in disorder is no reason to return mail */
    {"domain us.test { deliver = \"mx\" }\n", "backup us.test", "[2001:db8::1]:25 192.0.2.1:25"},
    {"domain best.test { deliver = \"mx\" }\n", "backup best.test",
     "451 4.4.6 best.test: mail to this domain loops back to ourselves"},
    {"domain gone.test { deliver = \"mx\" }\n", "backup gone.test", "451 4.1.2 gone.test: the domain does not exist"},

    /* what an administrator wrote */
    {"route \"*\" { via = {\"smtp://192.0.2.50:26\", \"smtp://[2001:db8::50]\"} }\n", "route *",
     "192.0.2.50:26 [2001:db8::50]:25"},
    {"route \"*\" { via = \"smtps://mx2.two.test\" }\n", "route *", "tls 192.0.2.2:465"},
    {"route \"*\" { via = {\"smtp://gone.test\", \"smtp://mx2.two.test:27\"} }\n", "route *", "192.0.2.2:27"},
    {"route \"*\" { via = \"smtp://gone.test\" }\n", "route *", "451 4.1.2 *: the domain does not exist"},
    {"route \"*\" { via = \"smtp://private.test\" }\n", "route *", "10.1.2.3:25"},
    {"route \"*\" { via = \"smtp://local.test:26\" }\n", "route *", "127.0.0.1:26"},
    {LISTENERS "route \"*\" { via = \"smtp://local.test:2525\" }\n", "route *",
     "451 4.4.6 *: mail to this domain loops back to ourselves"},
    {"route \"*\" { via = {\"mx\", \"smtp://192.0.2.50\"} }\n", "route * mx mx2.two.test",
     "192.0.2.2:25 192.0.2.50:25"},
    {"route \"*\" { via = {\"smtp://192.0.2.50\", \"mx\"} }\n", "route * mx mx2.two.test",
     "192.0.2.50:25 192.0.2.2:25"},
    {"route \"*\" { via = {\"mx\", \"smtp://192.0.2.50\"} }\n", "route * mx fail.test", "192.0.2.50:25"},
    {"route \"*\" { via = {\"mx\", \"smtp://192.0.2.50\"} }\n", "route * mx gone.test",
     "550 5.1.2 gone.test: the domain does not exist"},
    {"domain d.test { deliver = \"lmtp:///run/lmtp\" }\n", "domain d.test", "lmtp /run/lmtp"},
    {"domain d.test { deliver = \"lmtp://192.0.2.60:24\" }\n", "domain d.test", "lmtp 192.0.2.60:24"},

    /* DANE: signed from the MX record on */
    {VALIDATE, "mx sec.test", "192.0.2.60:25 dane mx.sec.test 2"},
    {VALIDATE, "mx unusable.sec.test", "192.0.2.61:25 dane unusable.sec.test 0"},
    {VALIDATE, "mx none.sec.test", "192.0.2.62:25"},
    {VALIDATE, "mx failing.sec.test", "451 4.4.3 failing.sec.test: DNS lookup failed"},
    {VALIDATE, "mx second.sec.test", "192.0.2.60:25 dane mx.sec.test 2"},
    {VALIDATE, "mx byname.sec.test", "192.0.2.60:25 dane mx.sec.test 2"},
    {VALIDATE, "mx mixed.sec.test", "192.0.2.64:25"},
    {VALIDATE, "mx toward.test", "192.0.2.60:25"},
    {VALIDATE "send { dane = false }\n", "mx sec.test", "192.0.2.60:25"},
    {"dns { servers = {\"192.0.2.53\"} }\n", "mx sec.test", "192.0.2.60:25"},
    {VALIDATE "route \"*\" { via = \"smtp://mx.sec.test\" }\n", "route *", "192.0.2.60:25"},
};

static void print(struct buf *out, const struct hops *h)
{
    for (size_t i = 0; i < h->n; i++) {
        struct ip_port a;
        buf_printf(out, "%s%s%s", i ? " " : "", h->v[i].tls ? "tls " : "", h->v[i].lmtp ? "lmtp " : "");
        if (ip_from_sockaddr((const struct sockaddr *)&h->v[i].to, sizeof h->v[i].to, &a))
            ip_print_port(out, &a);
        else
            buf_add(out, h->v[i].host);
        if (h->v[i].dane)
            buf_printf(out, " dane " STR_FMT " %zu", STR_ARG(h->v[i].dane->base), h->v[i].dane->n);
    }
}

static void run_row(const struct row *r)
{
    char text[2000];
    struct buf out;
    struct hops h;
    struct route way;
    fake_begin(r->conf);
    buf_init_fixed(&out, text, sizeof text);
    route_of_key(fake.conf, str_c(r->key), &way);
    CHECK(way.way != WAY_LOST);
    err e = hops_find(fake.conf, &way, &h);
    if (e)
        buf_add_c(&out, h.why);
    else if (strlen(r->want) < 3)
        buf_printf(&out, "%zu", h.n);
    else
        print(&out, &h);
    same("hops", r->key, buf_str(&out), r->want);
    CHECK(h.forever == (e && r->want[0] == '5'));
    hops_free(&h);
    fake_end();
}

static void all_rows(void *arg, int index)
{
    (void)arg;
    (void)index;
    CHECK(dns_setup(&(struct dns_config){0}) == OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
    dns_end();
    rt_stop();
}

static void every_way(void **state)
{
    (void)state;
    dns_backend = &table;
    world(1, all_rows);
}

/* Equal preferences share the load. */
static void draw(void *arg, int index)
{
    (void)arg;
    (void)index;
    int first = 0;
    CHECK(dns_setup(&(struct dns_config){0}) == OK);
    fake_begin("");
    for (int i = 0; i < 200; i++) {
        struct hops h;
        struct route way;
        route_of_key(fake.conf, S("mx m1.test"), &way);
        CHECK(hops_find(fake.conf, &way, &h) == OK && h.n == 8);
        const struct sockaddr_in *in = (const struct sockaddr_in *)&h.v[0].to;
        first += (ntohl(in->sin_addr.s_addr) & 255) < 25;
        hops_free(&h);
    }
    CHECK(first > 50 && first < 150);
    fake_end();
    dns_end();
    rt_stop();
}

static void equals_in_any_order(void **state)
{
    (void)state;
    dns_backend = &table;
    world(1, draw);
}

/* A listener at every address is met at any of ours. */
static void own(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        bool own;
    } ends[] = {
        {"192.0.2.1:40000", "192.0.2.1:2525", true},
        {"192.0.2.1:40000", "192.0.2.1:25", false},
        {"192.0.2.1:40000", "192.0.2.2:2525", false},
        {"[2001:db8::1]:40000", "[2001:db8::1]:2525", false},
    };
    fake_begin(LISTENERS);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sockaddr_storage from, to;
        struct ip_port a, b;
        assert_true(ip_port_parse(str_c(ends[i].from), 0, &a) && ip_port_parse(str_c(ends[i].to), 0, &b));
        ip_to_sockaddr(&a, &from);
        ip_to_sockaddr(&b, &to);
        assert_int_equal(hop_is_own(fake.conf, &from, &to), ends[i].own);
    }
    fake_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_way), cmocka_unit_test(equals_in_any_order),
                                       cmocka_unit_test(own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
