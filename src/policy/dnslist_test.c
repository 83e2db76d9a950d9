#include "policy/dnslist.c"
#include "policy/test_names.h"

static const struct test_name names[] = {
    {"1.2.0.192.a.test", DNS_A, "127.0.0.2"},
    {"1.2.0.192.b.test", DNS_A, "127.0.0.10"},
    {"1.2.0.192.b.test", DNS_A, "127.0.0.4"},
    {"2.2.0.192.a.test", DNS_A, "127.255.255.254"},
    {"2.2.0.192.b.test", DNS_A, "203.0.113.7"},
    {"3.2.0.192.a.test", DNS_A, "FAIL"},
    {"4.2.0.192.slow.test", DNS_A, "HANG"},
    {"4.2.0.192.a.test", DNS_A, "127.0.0.3"},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.a.test", DNS_A, "127.0.0.2"},
    {"bad.example.names.test", DNS_A, "127.0.1.2"},
    {NULL, 0, NULL},
};

static struct conf_zone zone_of(const char *text)
{
    static struct arena mem;
    struct conf_zone z = {0};
    if (!mem.max)
        arena_init(&mem, 4096, 65536);
    CHECK(conf_zone(str_c(text), &mem, &z));
    return z;
}

/* Where an answer comes there is time for it, however busy the machine is. */
static struct dnslist look(const char *const *zones, const char *ip_text)
{
    rt_time wait = 60 * RT_S;
    struct conf_zone z[8];
    struct ip ip;
    struct dnslist d;
    size_t n = 0;
    for (; zones[n]; n++) {
        z[n] = zone_of(zones[n]);
        wait = strcmp(zones[n], "slow.test") == 0 ? 2 * RT_S : wait;
    }
    CHECK(ip_parse(str_c(ip_text), &ip));
    dnslist_ip(z, n, &ip, rt_after(wait), &d);
    d.zone = NULL; /* of this frame */
    return d;
}

static void cases(void *arg, int index)
{
    (void)arg;
    (void)index;
    static const struct {
        const char *zones[5], *ip;
        int score;
        unsigned hits;
        bool failed;
    } v[] = {
        {{"a.test"}, "192.0.2.1", 1, 1, false},
        {{"a.test=127.0.0.3"}, "192.0.2.1", 0, 0, false},
        {{"a.test=127.0.0.2-11*3", "b.test*2"}, "192.0.2.1", 5, 2, false},
        {{"b.test=127.0.0.4*3", "b.test=127.0.0.10*-2", "b.test=127.0.0.5*7"}, "192.0.2.1", 1, 2, false},
        {{"a.test", "b.test"}, "192.0.2.2", 0, 0, false},
        {{"a.test", "b.test"}, "192.0.2.3", 0, 0, true},
        {{"a.test", "slow.test"}, "192.0.2.4", 1, 1, true},
        {{"a.test", "b.test"}, "192.0.2.9", 0, 0, false},
        {{"a.test"}, "2001:db8::1", 1, 1, false},
        {{NULL}, "192.0.2.1", 0, 0, false},
    };
    CHECK(dns_setup(&(struct dns_config){.timeout = 60 * RT_S}) == OK);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct dnslist d = look(v[i].zones, v[i].ip);
        if (d.score != v[i].score || d.hits != v[i].hits || d.failed != v[i].failed)
            fprintf(stderr, "case %zu: score %d, hits %u, failed %d\n", i, d.score, d.hits, d.failed);
        CHECK(d.score == v[i].score && d.hits == v[i].hits && d.failed == v[i].failed);
    }
    CHECK(event_count(EV_dns_list_refused) == 2); /* a and b, once each */
    (void)look((const char *const[]){"a.test", "b.test", NULL}, "192.0.2.2");
    CHECK(event_count(EV_dns_list_refused) == 2);

    struct conf_zone z = zone_of("names.test");
    struct dnslist d;
    dnslist_name(&z, 1, S("bad.example"), rt_after(60 * RT_S), &d);
    CHECK(d.score == 1 && d.zone == &z && d.answer.b[2] == 1);
    dnslist_name(&z, 1, S("good.example"), rt_after(60 * RT_S), &d);
    CHECK(d.score == 0);
    int asked = test_asked;
    dnslist_name(&z, 1, S("[192.0.2.1]"), rt_after(60 * RT_S), &d);
    dnslist_name(&z, 1, S("localhost"), rt_after(60 * RT_S), &d);
    dnslist_name(&z, 1, S("good.example"), rt_after(60 * RT_S), &d); /* from the cache */
    CHECK(d.score == 0 && test_asked == asked);
    dns_end();
    rt_stop();
}

static void lists(void **state)
{
    (void)state;
    test_names = names;
    dns_backend = &test_backend;
    world(1, cases);
}

/* All zones are asked at once: many that do not answer cost one deadline. */
static void together(void *arg, int index)
{
    (void)arg;
    (void)index;
    struct conf_zone z[DNSLIST_ZONES];
    struct ip ip;
    struct dnslist d;
    CHECK(dns_setup(&(struct dns_config){.timeout = 60 * RT_S}) == OK);
    for (int i = 0; i < DNSLIST_ZONES; i++)
        z[i] = zone_of("slow.test");
    CHECK(ip_parse(S("192.0.2.4"), &ip));
    rt_time start = rt_now_fresh();
    dnslist_ip(z, DNSLIST_ZONES, &ip, rt_after(200 * RT_MS), &d);
    CHECK(d.failed && d.score == 0 && rt_now_fresh() - start < 50 * RT_S);
    dns_end();
    rt_stop();
}

static void at_once(void **state)
{
    (void)state;
    test_names = names;
    dns_backend = &test_backend;
    world(1, together);
}

static void answers_mean(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        uint8_t a[4];
        enum dnslist_answer want;
    } v[] = {{"z.test", {127, 0, 0, 2}, DNSLIST_HIT},
             {"z.test", {127, 255, 255, 254}, DNSLIST_REFUSED},
             {"z.test", {127, 255, 254, 2}, DNSLIST_HIT},
             {"z.test", {10, 0, 0, 1}, DNSLIST_REFUSED},
             {"z.test=127.0.0.2-11", {127, 0, 0, 1}, DNSLIST_OTHER},
             {"z.test=127.0.0.2-11", {127, 0, 0, 2}, DNSLIST_HIT},
             {"z.test=127.0.0.2-11", {127, 0, 0, 11}, DNSLIST_HIT},
             {"z.test=127.0.0.2-11", {127, 0, 0, 12}, DNSLIST_OTHER},
             {"z.test=127.0.0.2-11", {127, 0, 1, 4}, DNSLIST_OTHER}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct conf_zone z = zone_of(v[i].zone);
        assert_int_equal(dnslist_answer(&z, v[i].a), v[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_mean), cmocka_unit_test(lists),
                                       cmocka_unit_test(at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
