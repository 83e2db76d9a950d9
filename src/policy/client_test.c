#include "policy/client.c"
#include "conf/test_conf.h"
#include "policy/test_names.h"

static void helo_names(void **state)
{
    (void)state;
    static const struct {
        const char *helo;
        bool bad;
    } v[] = {{"mx.example.test", false},
             {"mx.example.test.", false},
             {"[192.0.2.1]", false},
             {"[IPv6:::1]", false},
             {"a_b.example.test", false},
             {"localhost", true},
             {"192.0.2.1", true},
             {"::1", true},
             {"", true},
             {"a b.c", true},
             {"user@b.test", true},
             {"PC-17", true}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        assert_int_equal(client_helo_fault(str_c(v[i].helo)) != NULL, v[i].bad);
}

static void generic_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool yes;
    } v[] = {{"dsl-192-0-2-17.isp.test", true}, {"17.2.0.192.dyn.isp.test", true}, {"ip192000002017.isp.test", true},
             {"c-2-17-0.isp.test", true},       {"mail17.example.test", false},    {"mx2.example.test", false},
             {"mail.example.test", false},      {"host-2-17.isp.test", false},     {"", false}};
    struct ip ip, six;
    assert_true(ip_parse(S("192.0.2.17"), &ip) && ip_parse(S("2001:db8::17"), &six));
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        if (client_name_is_generic(str_c(v[i].name), &ip) != v[i].yes)
            print_error("case %zu\n", i);
        assert_int_equal(client_name_is_generic(str_c(v[i].name), &ip), v[i].yes);
    }
    assert_false(client_name_is_generic(S("dsl-192-0-2-17.isp.test"), &six));
}

static void our_names(void **state)
{
    (void)state;
    struct conf c = {.hostname = S("mx.us.test")};
    struct ip local;
    assert_true(ip_parse(S("198.51.100.7"), &local));
    static const struct {
        const char *helo;
        bool yes;
    } v[] = {{"MX.us.test", true},
             {"mx.us.test.", true},
             {"in.us.test", true},
             {"us.test", false},
             {"[198.51.100.7]", true},
             {"198.51.100.7", true},
             {"[198.51.100.8]", false},
             {"[]", false},
             {"[IPv6:::1]", false},
             {"other.test", false},
             {"", false}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        assert_int_equal(client_helo_is_ours(str_c(v[i].helo), &c, S("in.us.test"), &local), v[i].yes);
}

static void strangers(void **state)
{
    (void)state;
    struct ip_net exempt, trusted;
    assert_true(ip_net_parse(S("127.0.0.0/8"), &exempt) && ip_net_parse(S("10.0.0.0/8"), &trusted));
    struct conf_listener l[2] = {{.title = S("mx")}, {.title = S("sub"), .submission = true}};
    struct conf c = {.limit_exempt = {&exempt, 1}, .relay_from = {&trusted, 1}, .listeners = l, .nlisteners = 2};
    struct source s = {.listener = S("mx")};
    assert_false(client_is_stranger(&s, &c)); /* no address */
    assert_true(ip_parse(S("192.0.2.1"), &s.client.ip));
    assert_true(client_is_stranger(&s, &c));
    s.listener = S("sub");
    assert_false(client_is_stranger(&s, &c));
    s.listener = S("mx");
    s.authenticated = true;
    assert_false(client_is_stranger(&s, &c));
    s.authenticated = false;
    s.may_relay = true;
    assert_false(client_is_stranger(&s, &c));
    s.proxied = true; /* before a proxy everybody may relay */
    assert_true(client_is_stranger(&s, &c));
    assert_true(ip_parse(S("10.1.1.1"), &s.client.ip));
    assert_false(client_is_stranger(&s, &c));
    assert_true(ip_parse(S("127.0.0.1"), &s.client.ip));
    assert_false(client_is_stranger(&s, &c));
}

/* ---- what DNS says ---- */

static const struct test_name names[] = {
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "good.test"},
    {"good.test", DNS_A, "192.0.2.1"},
    {"2.2.0.192.in-addr.arpa", DNS_PTR, "liar.test"},
    {"liar.test", DNS_A, "192.0.2.99"},
    {"4.2.0.192.in-addr.arpa", DNS_PTR, "FAIL"},
    {"5.2.0.192.in-addr.arpa", DNS_PTR, "HANG"},
    {"helo.test", DNS_A, "203.0.113.9"},
    {"1.2.0.192.bl.test", DNS_A, "127.0.0.2"},
    {"hang.test", DNS_A, "HANG"},
    {NULL, 0, NULL},
};

static enum client_reverse reverse_of(struct conf *c, const char *text)
{
    struct ip ip;
    str name;
    CHECK(ip_parse(str_c(text), &ip));
    struct client *k = client_new(c, &ip);
    CHECK(k);
    client_start(k, CLIENT_REVERSE, S(""));
    enum client_reverse r = client_reverse(k, &name);
    CHECK((r == REVERSE_CONFIRMED) == (name.n > 0));
    client_drop(&k);
    return r;
}

static void asks(void *arg, int index)
{
    (void)arg;
    (void)index;
    struct ip ip;
    CHECK(dns_setup(&(struct dns_config){.timeout = 300 * RT_MS}) == OK);
    struct conf *c =
        test_conf("/tmp", S("hostname = \"mx.us.test\" block-lists = \"bl.test\" policy { dns-time = 300ms }\n"
                            "listener mx { address = \"127.0.0.1:2525\" }"));
    CHECK(reverse_of(c, "192.0.2.1") == REVERSE_CONFIRMED);
    CHECK(reverse_of(c, "192.0.2.2") == REVERSE_MISMATCH);
    CHECK(reverse_of(c, "192.0.2.3") == REVERSE_NONE);
    CHECK(reverse_of(c, "192.0.2.4") == REVERSE_ERROR);
    CHECK(reverse_of(c, "192.0.2.5") == REVERSE_ERROR);
    CHECK(ip_parse(S("192.0.2.1"), &ip));
    struct client *k = client_new(c, &ip);
    CHECK(client_listed(k, CLIENT_BLOCK, S(""))->score == 1);
    CHECK(client_listed(k, CLIENT_ALLOW, S(""))->score == 0);
    CHECK(client_helo_resolves(k, S("helo.test")));
    client_new_helo(k);
    CHECK(!client_helo_resolves(k, S("gone.test")));
    client_new_helo(k);
    CHECK(client_helo_resolves(k, S("hang.test"))); /* nobody knows */
    client_drop(&k);
    k = client_new(c, &ip); /* whoever asked leaves before the answer */
    client_start(k, CLIENT_REVERSE, S(""));
    client_start(k, CLIENT_HELO, S("hang.test"));
    client_drop(&k);
    CHECK(fiber_sleep(rt_after(500 * RT_MS)) == OK);
    conf_drop(&c);
    dns_end();
    rt_stop();
}

static void background(void **state)
{
    (void)state;
    test_names = names;
    dns_backend = &test_backend;
    world(1, asks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(helo_names), cmocka_unit_test(generic_names),
                                       cmocka_unit_test(our_names), cmocka_unit_test(strangers),
                                       cmocka_unit_test(background)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
