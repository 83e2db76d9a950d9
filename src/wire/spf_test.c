/* Terms and macros as text. */
#include "wire/spf.c"
#include "base/test.h"

/* "kind qualifier domain bits4 bits6", a term a line; "!" and why for a bad one. */
static const struct {
    const char *term;
    int kind; /* -1: bad */
    const char *domain;
    int bits4, bits6;
} terms[] = {
    {"all", SPF_ALL, "", 32, 128},
    {"-ALL", SPF_ALL, "", 32, 128},
    {"all:", -1, 0, 0, 0},
    {"all/8", -1, 0, 0, 0},
    {"+", -1, 0, 0, 0},
    {"-", -1, 0, 0, 0},
    {"=", -1, 0, 0, 0},
    {":", -1, 0, 0, 0},
    {"a", SPF_A, "", 32, 128},
    {"a/24", SPF_A, "", 24, 128},
    {"a//64", SPF_A, "", 32, 64},
    {"a/24//64", SPF_A, "", 24, 64},
    {"a/0//0", SPF_A, "", 0, 0},
    {"a/24/64", -1, 0, 0, 0},
    {"a//24/64", -1, 0, 0, 0},
    {"a///64", -1, 0, 0, 0},
    {"a/", -1, 0, 0, 0},
    {"a//", -1, 0, 0, 0},
    {"a/24//", -1, 0, 0, 0},
    {"a/33", -1, 0, 0, 0},
    {"a//129", -1, 0, 0, 0},
    {"a/08", -1, 0, 0, 0},
    {"a/-1", -1, 0, 0, 0},
    {"a/4294967320", -1, 0, 0, 0},
    {"a:x.test/24", SPF_A, "x.test", 24, 128},
    {"a:x.test/24//64", SPF_A, "x.test", 24, 64},
    {"a:x/y.test", SPF_A, "x/y.test", 32, 128},
    {"a:x.test/y", -1, 0, 0, 0},
    {"a:x.test.", SPF_A, "x.test.", 32, 128},
    {"a:x.test..", -1, 0, 0, 0},
    {"a:test", -1, 0, 0, 0},
    {"a:.test", SPF_A, ".test", 32, 128},
    {"a:x.1", -1, 0, 0, 0},
    {"a:x.1a", SPF_A, "x.1a", 32, 128},
    {"a:x.te-st", SPF_A, "x.te-st", 32, 128},
    {"a:x.test-", -1, 0, 0, 0},
    {"a:x.te_st", -1, 0, 0, 0},
    {"a:%{d}", SPF_A, "%{d}", 32, 128},
    {"a:%{d}/24", SPF_A, "%{d}", 24, 128},
    {"a:%{d}.test", SPF_A, "%{d}.test", 32, 128},
    {"a:x.%{d}test", -1, 0, 0, 0},
    {"a:x%%", SPF_A, "x%%", 32, 128},
    {"a:x%", -1, 0, 0, 0},
    {"a:%{", -1, 0, 0, 0},
    {"a:%{}", -1, 0, 0, 0},
    {"a:%{d2r+-/}", SPF_A, "%{d2r+-/}", 32, 128},
    {"a:%{d2R}", SPF_A, "%{d2R}", 32, 128},
    {"a:%{dr2}", -1, 0, 0, 0},
    {"a:%{d.2}", -1, 0, 0, 0},
    {"a:%{d00}", -1, 0, 0, 0},
    {"a:%{d99999999999999999999}", SPF_A, "%{d99999999999999999999}", 32, 128},
    {"a:%{t}", -1, 0, 0, 0},
    {"a=x.test", SPF_UNKNOWN, "x.test", 32, 128},
    {"mx", SPF_MX, "", 32, 128},
    {"mx:x.test//3", SPF_MX, "x.test", 32, 3},
    {"ptr", SPF_PTR, "", 32, 128},
    {"ptr:x.test", SPF_PTR, "x.test", 32, 128},
    {"ptr/8", -1, 0, 0, 0},
    {"include:x.test", SPF_INCLUDE, "x.test", 32, 128},
    {"include", -1, 0, 0, 0},
    {"include:x.test/8", -1, 0, 0, 0},
    {"exists:x.test", SPF_EXISTS, "x.test", 32, 128},
    {"exists", -1, 0, 0, 0},
    {"ip4:1.2.3.4", SPF_IP4, "", 32, 128},
    {"ip4:1.2.3.4/33", -1, 0, 0, 0},
    {"ip4:1.2.3", -1, 0, 0, 0},
    {"ip4:::1", -1, 0, 0, 0},
    {"ip4:", -1, 0, 0, 0},
    {"ip4=1.2.3.4", SPF_UNKNOWN, "1.2.3.4", 32, 128},
    {"ip6:::1", SPF_IP6, "", 32, 128},
    {"ip6:::ffff:1.2.3.4/96", SPF_IP6, "", 32, 128},
    {"ip6:1.2.3.4", -1, 0, 0, 0},
    {"ip6:::1/129", -1, 0, 0, 0},
    {"ip6:::1//64", -1, 0, 0, 0},
    {"redirect=x.test", SPF_REDIRECT, "x.test", 32, 128},
    {"-redirect=x.test", -1, 0, 0, 0},
    {"redirect:x.test", -1, 0, 0, 0},
    {"redirect=", -1, 0, 0, 0},
    {"exp=x", -1, 0, 0, 0},
    {"exp=%{c}", -1, 0, 0, 0},
    {"unknown", -1, 0, 0, 0},
    {"9=x", -1, 0, 0, 0},
    {"x=", SPF_UNKNOWN, "", 32, 128},
    {"x=\x80", -1, 0, 0, 0},
    {"a\t", -1, 0, 0, 0},
    {"v=spf1", SPF_UNKNOWN, "spf1", 32, 128},
};

static void each_term(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(terms); i++) {
        char record[200];
        struct spf_term t;
        const char *why;
        snprintf(record, sizeof record, "V=SPF1  %s ", terms[i].term);
        str rest = str_c(record);
        enum spf_next n = spf_next(&rest, &t, &why);
        if (n != (terms[i].kind < 0 ? SPF_BAD : SPF_TERM))
            fail_msg("%s: %d", terms[i].term, n);
        if (n == SPF_BAD)
            continue;
        if ((int)t.kind != terms[i].kind || !str_eq(t.domain, str_c(terms[i].domain)) || t.bits4 != terms[i].bits4 ||
            t.bits6 != terms[i].bits6)
            fail_msg("%s: %d %.*s %d %d", terms[i].term, t.kind, (int)t.domain.n, t.domain.p, t.bits4, t.bits6);
        assert_int_equal(spf_next(&rest, &t, &why), SPF_END);
    }
}

static void records(void **state)
{
    (void)state;
    assert_true(spf_is_record(S("v=spf1")) && spf_is_record(S("V=SPF1 ")) && spf_is_record(S("v=spf1 x")));
    assert_false(spf_is_record(S("v=spf10")) || spf_is_record(S("v=spf1\t")) || spf_is_record(S(" v=spf1")) ||
                 spf_is_record(S("")));
}

/* RFC 7208 7.4 */
static const struct {
    const char *macro, *want;
} macros[] = {
    {"%{s}", "strong-bad@email.example.com"},
    {"%{o}", "email.example.com"},
    {"%{d}", "email.example.com"},
    {"%{d4}", "email.example.com"},
    {"%{d3}", "email.example.com"},
    {"%{d2}", "example.com"},
    {"%{d1}", "com"},
    {"%{dr}", "com.example.email"},
    {"%{d2r}", "example.email"},
    {"%{l}", "strong-bad"},
    {"%{l-}", "strong.bad"},
    {"%{lr}", "strong-bad"},
    {"%{lr-}", "bad.strong"},
    {"%{l1r-}", "strong"},
    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
    {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
    {"%{D}.%{S}", "email.example.com.strong-bad%40email.example.com"},
    {"%{p2}", "example.org"},
    {"%{h}", "mx.example.org"},
    {"%%%_%-", "% %20"},
    {"%{d128}", "email.example.com"},
    {"%{s@}", NULL},
    {"%{l-+,/_=.}", "strong.bad"},
};

static void each_macro(void **state)
{
    (void)state;
    struct spf_vars v = {.local = S("strong-bad"),
                         .sender_domain = S("email.example.com"),
                         .domain = S("email.example.com"),
                         .helo = S("mx.example.org"),
                         .ptr = S("mx.example.org"),
                         .ip = {4, {192, 0, 2, 3}}};
    char mem[1000];
    struct buf out;
    for (size_t i = 0; i < COUNT(macros); i++) {
        buf_init_fixed(&out, mem, sizeof mem);
        err e = spf_expand(&out, str_c(macros[i].macro), false, &v);
        if (!macros[i].want)
            assert_int_equal(e, E_SYNTAX);
        else if (e || !str_eq(buf_str(&out), str_c(macros[i].want)))
            fail_msg("%s: %s, \"%.*s\"", macros[i].macro, err_name(e), (int)out.n, out.p);
    }
    ip_parse(S("2001:db8::cb01"), &v.ip);
    buf_init_fixed(&out, mem, sizeof mem);
    assert_int_equal(spf_expand(&out, S("%{ir}.%{v}._spf.%{d2}"), false, &v), OK);
    assert_true(str_ieq(buf_str(&out), S("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf."
                                         "example.com")));
    v.local = S("b\xc3\xbc");
    buf_clear(&out);
    assert_int_equal(spf_expand(&out, S("%{d}.%{l}"), false, &v), E_UNSUPPORTED);
    buf_init_fixed(&out, mem, 5);
    assert_int_equal(spf_expand(&out, S("%{d}"), false, &v), E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_term), cmocka_unit_test(records),
                                       cmocka_unit_test(each_macro)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
