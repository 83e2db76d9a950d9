#include "policy/lists.c"
#include "policy/test_names.h"

#include <sqlite3.h>

static const struct test_name names[] = {
    {"9.2.0.192.bl.test", DNS_A, "127.0.0.2"}, {"listed.test.bl.test", DNS_A, "127.0.0.2"}, {NULL, 0, NULL}};

static str database(const char *sql)
{
    sqlite3 *s;
    sqlite3_int64 n = 0;
    CHECK(sqlite3_open(":memory:", &s) == SQLITE_OK && sqlite3_exec(s, sql, NULL, NULL, NULL) == SQLITE_OK);
    unsigned char *p = sqlite3_serialize(s, "main", &n, 0);
    sqlite3_close(s);
    return str_mem(p, (size_t)n);
}

static struct conf *load(uint64_t generation, str bytes)
{
    struct conf_file files[2] = {
        {.path = S("t.conf"),
         .text =
             S("hostname = \"mx.us.test\" listener mx { address = \"127.0.0.1:2525\" }\n"
               "list l { entries = {\"192.0.2.0/29\", \"@own.test\"} sqlite = \"db\" dns = \"bl.test=127.0.0.2\" }\n"
               "list bad { sqlite = \"db\" query = \"SELECT 1 FROM gone WHERE a = ?1\" }\n")},
        {.name = S("db"), .path = S("/etc/db"), .text = bytes}};
    struct conf_bundle b = {.v = files, .n = 2, .dir = S("/etc"), .system_name = S("mx.us.test")};
    struct conf_errors errors;
    struct conf *c = NULL;
    CHECK(conf_load(&c, &b, &errors) == OK);
    conf_errors_free(&errors);
    c->generation = generation;
    return c;
}

static bool ip_in(struct conf *c, const char *text)
{
    struct ip ip;
    CHECK(ip_parse(str_c(text), &ip));
    return list_has_ip(c, &c->lists[0], &ip, rt_after(RT_S));
}
static bool address_in(struct conf *c, const char *text)
{
    return list_has_address(c, &c->lists[0], str_c(text), rt_after(RT_S));
}

static void sources(void *arg, int index)
{
    (void)arg;
    (void)index;
    str one = database("CREATE TABLE entries (entry TEXT PRIMARY KEY); INSERT INTO entries VALUES "
                       "('198.51.100.1'), ('a@b.test'), ('@c.test'), ('.d.test'), ('<>')");
    str two = database("CREATE TABLE entries (entry TEXT PRIMARY KEY); INSERT INTO entries VALUES ('new@b.test')");
    struct conf *c = load(1, one), *newer = load(2, two);
    CHECK(dns_setup(&(struct dns_config){.timeout = RT_S}) == OK);
    for (int twice = 0; twice < 2; twice++) { /* then from memory */
        CHECK(ip_in(c, "192.0.2.1") && ip_in(c, "198.51.100.1") && ip_in(c, "192.0.2.9"));
        CHECK(!ip_in(c, "192.0.2.10") && !ip_in(c, "198.51.100.2"));
        CHECK(address_in(c, "x@own.test") && address_in(c, "A@b.TEST") && address_in(c, "x@c.test"));
        CHECK(address_in(c, "x@y.d.test") && address_in(c, "x@listed.test") && address_in(c, ""));
        CHECK(!address_in(c, "x@b.test") && !address_in(c, "x@d.test") && !address_in(c, "new@b.test"));
        CHECK(list_has_domain(c, &c->lists[0], S("y.d.test"), rt_after(RT_S)));
        CHECK(!list_has_domain(c, &c->lists[0], S("c.test"), rt_after(RT_S)));
        CHECK(!list_has_domain(c, &c->lists[1], S("c.test"), rt_after(RT_S)));
        CHECK(list_has_text(c, &c->lists[0], S("a@b.test"), rt_after(RT_S)));
    }
    CHECK(event_count(EV_list_failed) == 1);
    CHECK(address_in(newer, "new@b.test") && !address_in(newer, "a@b.test"));
    conf_drop(&c);
    conf_drop(&newer);
    sqlite3_free((void *)one.p);
    sqlite3_free((void *)two.p);
    dns_end();
    rt_stop();
}

static void all_sources(void **state)
{
    (void)state;
    test_names = names;
    dns_backend = &test_backend;
    world(1, sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
