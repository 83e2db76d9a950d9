#include "conf/doc.c"
#include "conf/test_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void sample(void **state)
{
    (void)state;
    AUTO_BUF out;
    buf_init(&out, 1 << 20);
    conf_sample(&out);
    assert_int_equal(out.e, OK);
    struct conf *c = test_conf("/etc", buf_str(&out)); /* as it is */
    assert_int_equal(c->nlisteners, 0);
    conf_drop(&c);

    /* With every key taken into use each is known; only the empty ones of sections are wrong. */
    AUTO_BUF full;
    buf_init(&full, 1 << 20);
    str rest = buf_str(&out), line;
    while (str_cut(&rest, '\n', &line)) {
        str s = str_trim(line);
        buf_add(&full, str_starts(s, S("#")) && s.n > 1 && s.p[1] != ' ' ? str_skip(s, 1) : line);
        buf_add_char(&full, '\n');
    }
    struct conf_bundle b;
    struct conf_errors errors;
    assert_int_equal(conf_bundle_of(&b, S("t.conf"), buf_str(&full), S("/etc")), OK);
    conf_load(&c, &b, &errors);
    for (size_t i = 0; i < errors.n; i++) {
        str t = errors.v[i].text;
        if (str_search(t, S("unknown")) != STR_NONE || str_search(t, S("twice")) != STR_NONE)
            print_error(STR_FMT "\n", STR_ARG(t));
        assert_true(str_search(t, S("unknown")) == STR_NONE && str_search(t, S("twice")) == STR_NONE);
    }
    conf_errors_free(&errors);
    conf_bundle_free(&b);
    conf_drop(&c);
}

static void every_key(void **state)
{
    (void)state;
    AUTO_BUF manual;
    buf_init(&manual, 1 << 20);
    conf_manual(&manual);
    assert_int_equal(manual.e, OK);
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++) {
        AUTO_BUF item;
        buf_init(&item, 256);
        buf_add_c(&item, "\n.It Ic ");
        key_word(&item, k);
        buf_add_c(&item, " No");
        assert_true(str_search(buf_str(&manual), buf_str(&item)) != STR_NONE);
        assert_true(k->flags & (KEY_RELOAD | KEY_START));
        assert_true(k->most == 0 || k->least <= k->most);
        assert_true(!(k->flags & KEY_SECRET) || k->flags & KEY_FILE); /* conf_print shows only their paths */
    }
}

/* The enums of conf.h are the words of the table. */
static void words(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
        int value;
    } v[] = {
        {"private_targets", "auto", CONF_AUTO},
        {"private_targets", "false", CONF_FALSE},
        {"private_targets", "true", CONF_TRUE},
        {"dns_validate", "auto", CONF_AUTO},
        {"dns_validate", "false", CONF_FALSE},
        {"dns_validate", "true", CONF_TRUE},
        {"send_ipv", "\"both\"", CONF_IPV_BOTH},
        {"send_ipv", "\"4\"", CONF_IPV_4},
        {"send_ipv", "\"6\"", CONF_IPV_6},
        {"send_tls", "\"may\"", CONF_TLS_MAY},
        {"send_tls", "\"none\"", CONF_TLS_NONE},
        {"send_tls", "\"require\"", CONF_TLS_REQUIRE},
        {"tls_min_version", "\"1.2\"", CONF_TLS_1_2},
        {"tls_min_version", "\"1.3\"", CONF_TLS_1_3},
        {"log_level", "\"info\"", CONF_LOG_INFO},
        {"log_level", "\"debug\"", CONF_LOG_DEBUG},
        {"log_level", "\"notice\"", CONF_LOG_NOTICE},
        {"log_level", "\"warning\"", CONF_LOG_WARNING},
        {"log_level", "\"error\"", CONF_LOG_ERROR},
        {"log_format", "\"text\"", CONF_LOG_TEXT},
        {"log_format", "\"json\"", CONF_LOG_JSON},
        {"tls", "\"starttls\"", CONF_TLS_STARTTLS},
        {"tls", "\"implicit\"", CONF_TLS_IMPLICIT},
        {"tls", "\"none\"", CONF_TLS_OFF},
        {"protocol", "\"smtp\"", CONF_SMTP},
        {"protocol", "\"lmtp\"", CONF_LMTP},
        {"proxy_mode", "\"inspect\"", CONF_PROXY_INSPECT},
        {"proxy_mode", "\"pass\"", CONF_PROXY_PASS},
    };
    union any *base = calloc(1, sizeof *base);
    assert_non_null(base);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        const struct key *k = keys;
        while (strcmp(k->name, v[i].key) != 0)
            k++;
        AUTO_BUF out;
        buf_init(&out, 256);
        *(int *)((char *)base + k->offset) = v[i].value;
        value_print(&out, k, base);
        buf_add_char(&out, 0);
        if (!strstr(out.p, v[i].text)) /* "auto" stands in quotes, true does not */
            fail_msg("%s: %s is not %s", k->name, out.p, v[i].text);
    }
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
        if (k->section >= SEC_domain && strcmp(k->name, "tls") == 0)
            assert_string_equal(k->def, "may|none|require|verify");
    free(base);
}

static void printed(void **state)
{
    (void)state;
    struct conf *a = test_conf(
        "/etc", S("hostname = \"mx.example.test\" loops = 3 limits { message-size = 1500KB idle-time = 90s }\n"
                  "listener mx { address = \"[::1]:2525\" xclient-from = \"10.0.0.0/8\" }\n"
                  "domain a.test { deliver = \"lmtp:///run/x\" mailboxes = {\"a b\", \"c\"} }\n"
                  "alias \"\\\"x\\\\\\\"y\\\"@a.test\" { to = {\"c@a.test\"} }\n"
                  "dns { servers = {\"127.0.0.1:5353\", \"::1\"} }\n"
                  "route * { via = {\"smtp://h.test:25\", \"mx\"} from = \"@a.test\" }\n"));
    AUTO_BUF one;
    AUTO_BUF two;
    AUTO_BUF differ;
    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    buf_init(&differ, 1 << 20);
    conf_print(&one, a);
    assert_true(str_search(buf_str(&one), S("\nloops = 3\n")) != STR_NONE);
    assert_true(str_search(buf_str(&one), S("\n    message-size = 1500KB\n    header-size = 256KB   # default\n")) !=
                STR_NONE);
    struct conf *b = test_conf("/etc", buf_str(&one));
    conf_print(&two, b);
    str l = buf_str(&one), r = buf_str(&two), x, y;
    while (str_cut(&l, '\n', &x) && str_cut(&r, '\n', &y)) { /* equal but for what is marked as default */
        size_t at = str_search(x, S("   # default"));
        x = str_sub(x, 0, at == STR_NONE ? x.n : at);
        at = str_search(y, S("   # default"));
        y = str_sub(y, 0, at == STR_NONE ? y.n : at);
        if (!str_eq(x, y))
            fail_msg(STR_FMT " is not " STR_FMT, STR_ARG(x), STR_ARG(y));
    }
    assert_true(l.p == NULL);
    conf_needs_restart(&differ, a, b);
    assert_int_equal(differ.n, 0);
    conf_drop(&a);
    conf_drop(&b);
}

static void restart(void **state)
{
    (void)state;
    struct conf *a = test_conf("/etc", S("hostname = \"mx.example.test\" listener a { address = \"127.0.0.1:1\" }\n"
                                         "listener b { address = \"127.0.0.1:2\" }"));
    struct conf *b =
        test_conf("/etc", S("hostname = \"my.example.test\" listener a { address = \"127.0.0.1:3\" }\n"
                            "listener c { address = \"127.0.0.1:2\" } loops = 2 history { max-size = 1GB }"));
    AUTO_BUF out;
    buf_init(&out, 4096);
    conf_needs_restart(&out, a, b);
    buf_add_char(&out, 0);
    assert_string_equal(out.p, "loops, history.max-size");
    struct conf *other = conf_ref(b);
    conf_drop(&b);
    assert_null(b);
    assert_int_equal(other->loops, 2);
    conf_drop(&other);
    conf_drop(&other);
    conf_drop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sample), cmocka_unit_test(every_key), cmocka_unit_test(words),
                                       cmocka_unit_test(printed), cmocka_unit_test(restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
