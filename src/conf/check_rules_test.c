#include "conf/check_rules.c"
#include "conf/test_cases.h"

#define MX "hostname = \"mx.example.test\"\nlistener mx { address = \"127.0.0.1:2525\" }\n"
#define LINE3 "t.conf:3: "

static const struct conf_case cases[] = {
    {MX "rule a { if = \"tls\" then = \"accept\" }", ""},
    {MX "rule a { then = {\"score 3\", \"add header X-Seen: yes\"} }", ""},
    {MX "list l { entries = {\"a.test\"} }\nrule a { if = \"sender domain in list L\" then = \"refuse\" }", ""},
    {MX "rule a {\n if = \"sendr is x\"\n then = \"accept\" }", "t.conf:4: error: rule a: if: expected a fact: "},
    {MX "rule a {\n if = \"tls\"\n then = \"acept\" }", "t.conf:5: error: rule a: then: expected accept, refuse, "},
    {MX "rule a { if = \"tls\" }", LINE3 "error: rule a: expected the key then, found none\n"},
    {MX "rule a { then = {} }", LINE3 "error: rule a: then: expected at least one action, found an empty list\n"},
    {MX "rule a { then = \"accept\" }\nrule A { then = \"accept\" }",
     "t.conf:4: error: rule \"A\" is given twice (first in line 3)\n"},
    {MX "rule \"a b\" { then = \"accept\" }",
     LINE3 "error: rule: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found \"a b\"\n"},
    {MX "list blocked { entries = {\"x\"} }\nrule a { if = \"client in list blocke\" then = \"refuse\" }",
     "t.conf:4: error: rule a: if: expected the title of a section list, found \"blocke\"; did you mean blocked?\n"},
    {MX "rule a { if = \"listener is m\" then = \"refuse\" }",
     LINE3 "error: rule a: if: expected the title of a listener, found \"m\"; did you mean mx?\n"},
    {MX "rule a { then = \"accept\" on = {\"mx\", \"outbound\", \"sub\"} }",
     LINE3 "error: rule a: on: expected the title of a listener, inbound, outbound, submission, relay, local, proxy or "
           "delivery, found \"sub\"\n"},
    {MX "rule a { if = \"sender is <>\" then = \"accept\" at = \"helo\" }",
     LINE3 "error: rule a: at: expected \"mail\" or later, because sender is not known before, found \"helo\"\n"},
    {MX "rule a { if = \"client is ::1\" then = \"hold\" at = \"connect\" }",
     LINE3 "error: rule a: at: expected \"mail\" or later, because hold is not known before, found \"connect\"\n"},
    {MX "rule a { if = \"client is ::1\" then = \"hold\" at = \"deliver\" }",
     LINE3 "error: rule a: at: expected \"end\" or earlier, because client is not possible later, found \"deliver\"\n"},
    {MX "rule a { if = \"dkim is pass\" then = \"greylist\" }",
     LINE3 "error: rule a: expected facts and actions of one phase, found \"dkim\", which begins at \"end\", and "
           "\"greylist\", "
           "which ends at \"rcpt\"\n"},
    {MX "rule a { then = \"accept\" at = \"now\" }", LINE3 "error: rule a: at: expected one of auto, connect, "},
    {"hostname = \"mx.example.test\"\nlistener mx { address = \"127.0.0.1:2525\" rules = {\"b\"} }\n"
     "rule a { then = \"accept\" }",
     "t.conf:2: error: listener mx: expected rules: the title of a rule, found \"b\"; did you mean a?\n"},
    {MX "list x { }", LINE3 "warning: list x is empty: it has none of the keys entries, file, sqlite and dns\n"},
    {MX "list x { dns = {\"zen.test\", \"a.test=127.0.0.2-11\", \"b.test=127.0.[2].1\"} }",
     LINE3 "error: list x: dns: expected \"zone\" or \"zone=127.0.0.2-11\", found \"b.test=127.0.[2].1\"\n"},
    {MX "list x { entries = {\"10.1.2.3/8\", \"a@\"} }",
     LINE3 "error: list x: expected a network without bits behind its prefix, such as 192.0.2.0/24, found "
           "\"10.1.2.3/8\"\n" LINE3 "error: list x: expected a domain behind the \"@\", found \"a@\"\n"},
    {MX "list x { file = \"none\" }", LINE3 "error: list x: file: cannot read \"/etc/none\": "},
};

static void faults(void **state)
{
    (void)state;
    test_conf_cases(cases, COUNT(cases));
}

static void file_of_entries(void **state)
{
    (void)state;
    struct conf_file files[2] = {
        {.path = S("t.conf"), .text = S(MX "list x { file = \"l\" entries = {\"a.test\"} }")},
        {.name = S("l"),
         .path = S("/etc/l"),
         .text = S("# what is blocked\n192.0.2.0/24 # a network\r\n\n  Info@B.test\na#b.test\n10.1.2.3/8\nc.test")}};
    struct conf_bundle b = {.v = files, .n = 2, .dir = S("/etc"), .system_name = S("mx.example.test")};
    struct conf_errors errors;
    struct conf *c = NULL;
    assert_int_equal(conf_load(&c, &b, &errors), E_SYNTAX);
    assert_int_equal(errors.n, 1);
    assert_str(errors.v[0].path, "/etc/l");
    assert_int_equal(errors.v[0].line, 6);
    conf_errors_free(&errors);
    files[1].text.n -= strlen("10.1.2.3/8\nc.test");
    assert_int_equal(conf_load(&c, &b, &errors), OK);
    conf_errors_free(&errors);
    assert_int_equal(access_count(c->lists[0].set), 4);
    assert_true(access_has_address(c->lists[0].set, S("info@b.test")));
    assert_true(access_has_domain(c->lists[0].set, S("a#b.test")));
    conf_drop(&c);
}

static void phases(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum rule_phase want;
    } v[] = {
        {"if = \"client is ::1\" then = \"refuse\"", RULE_AT_CONNECT},
        {"then = \"accept\"", RULE_AT_CONNECT},
        {"if = \"not tls\" then = \"refuse\"", RULE_AT_MAIL},
        {"if = \"not tls\" then = \"refuse\" at = \"helo\"", RULE_AT_HELO},
        {"if = \"helo is a.test and client is ::1\" then = \"refuse\"", RULE_AT_HELO},
        {"if = \"client is ::1\" then = \"hold\"", RULE_AT_MAIL},
        {"if = \"client is ::1\" then = \"greylist\"", RULE_AT_RCPT},
        {"if = \"size > 5\" then = \"refuse\"", RULE_AT_END},
        {"if = \"size > 5\" then = \"refuse\" at = \"mail\"", RULE_AT_MAIL},
        {"if = \"size > 5\" then = \"greylist\"", RULE_AT_RCPT},
        {"if = \"header X\" then = \"tag x\"", RULE_AT_HEADER},
        {"then = \"limit 5/min by sender\"", RULE_AT_MAIL},
        {"if = \"size > 5\" then = \"refuse\" at = \"route\"", RULE_AT_ROUTE},
        {"if = \"tag x or score > 3\" then = \"quarantine\"", RULE_AT_END},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        char text[512];
        snprintf(text, sizeof text, MX "rule x { %s }", v[i].rule);
        struct conf *c = test_conf("/etc", str_c(text));
        if (c->rules[0].phase != v[i].want)
            print_error("%s: %s\n", v[i].rule, rule_phases[c->rules[0].phase].word);
        assert_int_equal(c->rules[0].phase, v[i].want);
        conf_drop(&c);
    }
}

static void order(void **state)
{
    (void)state;
    struct conf *c = test_conf(
        "/etc", S("hostname = \"mx.example.test\" listener mx { address = \"127.0.0.1:2525\" }\n"
                  "listener own { address = \"127.0.0.1:2526\" rules = {\"c\", \"a\"} }\n"
                  "rule a { then = \"accept\" } rule b { then = \"accept\" on = {\"own\"} }\n"
                  "rule c { then = \"accept\" on = {\"inbound\"} } rule d { then = \"tag x\" on = \"local\" }\n"));
    const struct conf_listener *mx = &c->listeners[0], *own = &c->listeners[1];
    assert_int_equal(mx->njudged, 2);
    assert_ptr_equal(mx->judged[0], &c->rules[0]);
    assert_ptr_equal(mx->judged[1], &c->rules[2]);
    assert_int_equal(own->njudged, 2);
    assert_ptr_equal(own->judged[0], &c->rules[2]);
    assert_ptr_equal(own->judged[1], &c->rules[0]);
    assert_int_equal(c->rules[3].where, CONF_ON_LOCAL);
    conf_drop(&c);
}

static void zones(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        int low, high, weight;
    } v[] = {{"Zen.Test", "zen.test", 0, 255, 1},
             {"zen.test=127.0.0.2-11", "zen.test", 2, 11, 1},
             {"zen.test=127.0.0.4*3", "zen.test", 4, 4, 3},
             {"zen.test*-2", "zen.test", 0, 255, -2},
             {"zen.test=127.*.*.*", "zen.test", 0, 255, 1},
             {"zen.test=127.0.0.**5", "zen.test", 0, 255, 5},
             {"zen.test=127.0.0.*", "zen.test", 0, 255, 1},
             {"zen.test=128.0.0.1", 0},
             {"zen.test=127.0.0", 0},
             {"zen.test=127.0.0.1.2", 0},
             {"zen.test=127.0.0.9-2", 0},
             {"zen.test=127.0.0.256", 0},
             {"zen.test*0", 0},
             {"zen.test*", 0},
             {"", 0},
             {"a b", 0}};
    struct arena mem;
    arena_init(&mem, 4096, 65536);
    for (size_t i = 0; i < COUNT(v); i++) {
        struct conf_zone z;
        bool ok = conf_zone(str_c(v[i].text), &mem, &z);
        assert_int_equal(ok, v[i].name != NULL);
        if (!ok)
            continue;
        assert_str(z.name, v[i].name);
        assert_int_equal(z.low[3], v[i].low);
        assert_int_equal(z.high[3], v[i].high);
        assert_int_equal(z.weight, v[i].weight);
    }
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(faults), cmocka_unit_test(phases), cmocka_unit_test(order),
                                       cmocka_unit_test(file_of_entries), cmocka_unit_test(zones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
