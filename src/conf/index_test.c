#include "conf/index.c"
#include "conf/test_conf.h"
#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char text[] = "hostname = \"mx.example.test\"\n"
                           "listener mx { address = \"127.0.0.1:2525\" }\n"
                           "domain Example.test { mailboxes = {\"Alice\", \"bob\"} }\n"
                           "domain lists.test { deliver = \"lmtp://127.0.0.1:2424\" }\n"
                           "domain few.test { deliver = \"smtp://127.0.0.1:2424\" mailboxes = \"one\" }\n"
                           "alias Info@Example.test { to = {\"alice@example.test\"} }\n"
                           "alias \"\\\"a b\\\"@example.test\" { to = {\"alice@example.test\"} }\n"
                           "route exact.test { via = \"smtp://exact.test\" }\n"
                           "route .exact.test { via = \"smtp://sub.test\" }\n"
                           "route .deep.exact.test { via = \"smtp://deep.test\" }\n"
                           "route * { via = \"smtp://all.test\" }\n"
                           "route * { via = \"smtp://from.test\" from = {\"@sender.test\", \"<>\"} }\n"
                           "route * { via = \"smtp://one.test\" from = {\"boss@sender.test\"} }\n"
                           "route only.test { via = \"smtp://only.test\" from = \"x@y.test\" }\n";

static void domains(void **state)
{
    (void)state;
    struct conf *c = test_conf("/etc", str_c(text));
    str name;
    const struct conf_domain *d = conf_domain(c, S("EXAMPLE.test"));
    assert_non_null(d);
    assert_true(str_eq(d->title, S("example.test")));
    assert_null(conf_domain(c, S("sub.example.test")));
    assert_null(conf_domain(c, S("")));
    assert_true(conf_mailbox(d, S("aLICE"), &name) && str_eq(name, S("Alice")));
    assert_true(conf_mailbox(d, S("POSTMASTER"), &name) && str_eq(name, S("postmaster")));
    assert_false(conf_has_mailbox(d, S("carol")));
    assert_false(conf_has_mailbox(d, S("../alice")));
    assert_false(conf_has_mailbox(conf_domain(c, S("lists.test")), S("postmaster")));
    assert_true(conf_has_mailbox(conf_domain(c, S("few.test")), S("one")));
    assert_non_null(conf_alias(c, S("info"), S("example.TEST")));
    assert_non_null(conf_alias(c, S("A b"), S("example.test")));
    assert_null(conf_alias(c, S("info"), S("lists.test")));
    assert_null(conf_alias(c, S("nfo"), S("iexample.test")));
    conf_drop(&c);
}

static void routes(void **state)
{
    (void)state;
    static const struct {
        str domain, sender;
        const char *host;
    } v[] = {
        {S_INIT("exact.test"), S_INIT("a@b.test"), "exact.test"},
        {S_INIT("EXACT.test"), S_INIT(""), "exact.test"},
        {S_INIT("x.exact.test"), S_INIT(""), "sub.test"},
        {S_INIT("x.deep.exact.test"), S_INIT(""), "deep.test"},
        {S_INIT("deep.exact.test"), S_INIT(""), "sub.test"},
        {S_INIT("inexact.test"), S_INIT("a@b.test"), "all.test"},
        {S_INIT("other.test"), S_INIT("a@b.test"), "all.test"},
        {S_INIT("other.test"), S_INIT("a@Sender.test"), "from.test"},
        {S_INIT("other.test"), S_INIT("BOSS@sender.test"), "one.test"},
        {S_INIT("other.test"), S_INIT("a@x.sender.test"), "all.test"},
        {S_INIT("other.test"), S_INIT(""), "from.test"},
        {S_INIT("exact.test"), S_INIT("boss@sender.test"), "exact.test"},
        {S_INIT("only.test"), S_INIT("x@y.test"), "only.test"},
        {S_INIT("only.test"), S_INIT("z@y.test"), "all.test"},
        {S_INIT("[192.0.2.1]"), S_INIT("z@y.test"), "all.test"},
        {S_INIT(""), S_INIT("z@y.test"), "all.test"},
    };
    struct conf *c = test_conf("/etc", str_c(text));
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        const struct conf_route *r = conf_route(c, v[i].domain, v[i].sender);
        assert_non_null(r);
        assert_int_equal(r->hops[0].how, CONF_TO_SERVER);
        if (!str_eq(r->hops[0].url.host, str_c(v[i].host)))
            print_error("case %zu: " STR_FMT "\n", i, STR_ARG(r->hops[0].url.host));
        assert_true(str_eq(r->hops[0].url.host, str_c(v[i].host)));
    }
    conf_drop(&c);
    c = test_conf("/etc",
                  S("hostname = \"a.test\" listener x { address = \"127.0.0.1:1\" } route .b.test { via = \"mx\" }"));
    assert_null(conf_route(c, S("b.test"), S("")));
    assert_non_null(conf_route(c, S("c.b.test"), S("")));
    conf_drop(&c);
}

/* What a proxy listener stored goes to its own upstreams, unless a section names the domain as closely. */
static void stored(void **state)
{
    (void)state;
    static const struct {
        str listener, domain;
        const char *host; /* NULL: by MX */
    } v[] = {
        {S_INIT("a"), S_INIT("b.test"), "one.test"},       {S_INIT("b"), S_INIT("b.test"), "two.test"},
        {S_INIT("b"), S_INIT("lists.test"), "named.test"}, {S_INIT("b"), S_INIT("exact.test"), "exact.test"},
        {S_INIT("b"), S_INIT("x.wide.test"), "wide.test"}, {S_INIT("b"), S_INIT("x.y.wide.test"), "closer.test"},
        {S_INIT("c"), S_INIT("lists.test"), "other.test"}, {S_INIT("c"), S_INIT("b.test"), NULL},
        {S_INIT(""), S_INIT("lists.test"), "named.test"},  {S_INIT(""), S_INIT("b.test"), NULL},
    };
    struct conf *c = test_conf(
        "/etc", S("hostname = \"mx.example.test\"\n"
                  "listener a { address = \"127.0.0.1:1\" proxy = \"one.test:25\" proxy-mode = \"store\" }\n"
                  "listener b { address = \"127.0.0.1:2\" proxy = {\"two.test:25\", \"named\"} split = \"store\" }\n"
                  "listener c { address = \"127.0.0.1:3\" proxy = \"other\" proxy-mode = \"store\" }\n"
                  "upstream named { via = \"named.test:25\" domains = {\"lists.test\", \"exact.test\"} }\n"
                  "upstream other { via = \"other.test:25\" domains = {\"lists.test\"} }\n"
                  "route exact.test { via = \"smtp://exact.test\" }\n"
                  "route .wide.test { via = \"smtp://wide.test\" }\n"
                  "route .y.wide.test { via = \"smtp://closer.test\" }\n"));
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        const struct conf_listener *x = conf_listener_named(c, v[i].listener);
        const struct conf_route *r =
            x ? conf_route_stored(c, x, v[i].domain, S("")) : conf_route(c, v[i].domain, S(""));
        if (!r != !v[i].host || (r && !str_eq(r->hops[0].url.host, str_c(v[i].host))))
            fail_msg("case %zu: " STR_FMT, i, STR_ARG(r ? r->hops[0].url.host : S("by MX")));
    }
    conf_drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(domains), cmocka_unit_test(routes), cmocka_unit_test(stored)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
