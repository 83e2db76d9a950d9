/* DMARC on a zone in memory: the examples of RFC 9989 (and those of RFC 7489 B that still hold), then what breaks it.
 */
#include "check/dmarc.c"
#include "check/test_zone.h"

#define TXT DNS_TXT

static const struct zone_record zone[] = {
    {"_dmarc.example.com", TXT, "v=DMARC1; p=reject; rua=mailto:r@example.com"},
    {"example.com", DNS_A, "192.0.2.1"},
    {"mail.example.com", DNS_A, "192.0.2.1"},
    {"sub.example.com", DNS_A, "192.0.2.1"},
    {"_dmarc.strict.test", TXT, "v=DMARC1; p=quarantine; adkim=s; aspf=s"},
    {"strict.test", DNS_A, "192.0.2.1"},
    {"_dmarc.sp.test", TXT, "v=DMARC1; p=reject; sp=none; np=quarantine"},
    {"a.sp.test", DNS_A, "192.0.2.1"},
    {"b.a.sp.test", DNS_MX, "1 x.test"},
    {"_dmarc.spn.test", TXT, "v=DMARC1; p=none; sp=quarantine"},
    {"_dmarc.npn.test", TXT, "v=DMARC1; p=none; np=reject"},
    {"is.npn.test", TXT, "hello"},
    {"_dmarc.t.test", TXT, "v=DMARC1; p=reject; t=y"},
    {"_dmarc.tq.test", TXT, "v=DMARC1;p=quarantine;t=y;"},
    {"_dmarc.tn.test", TXT, "v=DMARC1;p=none;t=y"},
    /* records that are none, or not whole */
    {"_dmarc.two.test", TXT, "v=DMARC1; p=reject"},
    {"_dmarc.two.test", TXT, "v=DMARC1; p=none"},
    {"_dmarc.other.test", TXT, "v=spf1 -all"},
    {"_dmarc.other.test", TXT, "v=DMARC1; p=reject"},
    {"_dmarc.v2.test", TXT, "v=DMARC2; p=reject"},
    {"_dmarc.case.test", TXT, "v=dmarc1; p=reject"},
    {"_dmarc.order.test", TXT, "p=reject; v=DMARC1"},
    {"_dmarc.nosemi.test", TXT, "v=DMARC1 p=reject"},
    {"_dmarc.space.test", TXT, "v = DMARC1 ;p  =  REJECT ; ;x=y; zz"},
    {"_dmarc.nop.test", TXT, "v=DMARC1; rua=mailto:a@nop.test"},
    {"_dmarc.nopnorua.test", TXT, "v=DMARC1"},
    {"_dmarc.badp.test", TXT, "v=DMARC1; p=maybe; rua=mailto:a@badp.test"},
    {"_dmarc.badpnorua.test", TXT, "v=DMARC1; p=maybe"},
    {"_dmarc.badsp.test", TXT, "v=DMARC1; p=reject; sp=maybe; rua=mailto:a@badp.test"},
    {"_dmarc.badspnorua.test", TXT, "v=DMARC1; p=reject; sp=maybe; rua=nonsense"},
    {"_dmarc.badtags.test", TXT, "v=DMARC1; p=reject; adkim=x; aspf=; psd=q; t=maybe; pct=0"},
    /* walks */
    {"_dmarc.bank.example", TXT, "v=DMARC1; p=reject; sp=quarantine"},
    {"_dmarc.mail.bank.example", TXT, "v=DMARC1; p=none; psd=n"},
    {"_dmarc.psd", TXT, "v=DMARC1; p=none; sp=reject; np=quarantine; psd=y"},
    {"known.psd", DNS_A, "192.0.2.1"},
    {"_dmarc.own.psd", TXT, "v=DMARC1; p=none"},
    {"deep.own.psd", DNS_A, "192.0.2.1"},
    {"_dmarc.u.psd2", TXT, "v=DMARC1; p=quarantine; psd=u"},
    {"_dmarc.gov", TXT, "v=DMARC1; p=reject; psd=y"},
    {"_dmarc.b.c.d.e.f.g.long.test", TXT, "v=DMARC1; p=none; psd=n"},
    {"_dmarc.long.test", TXT, "v=DMARC1; p=reject"},
    {"_dmarc.c.d.e.f.g.eight.test", TXT, "v=DMARC1; p=quarantine"},
    {"_dmarc.com.mid.test", TXT, "v=DMARC1; p=none"},
    {"_dmarc.mid.test", TXT, "v=DMARC1; p=reject"},
    {"_dmarc.temp.test", 0, "!TEMP"},
    {"_dmarc.up.temp2.test", TXT, "v=DMARC1; p=reject"},
    {"_dmarc.temp2.test", 0, "!TEMP"},
    {"_dmarc.xn--bcher-kva.test", TXT, "v=DMARC1; p=reject"},
};

#define D(d)                                                                                                           \
    {                                                                                                                  \
        CHECK_PASS, d                                                                                                  \
    }
static const struct {
    const char *from; /* the field's value; with "\n" several fields */
    struct {
        enum check_result result;
        const char *domain;
    } spf, dkim[2];
    const char *result, *policy, *org;
} cases[] = {
    /* RFC 7489 B.1.1: SPF in alignment, RFC 9989 4.4 */
    {"user@example.com", D("example.com"), {{0}}, "pass", "none", "example.com"},
    {"user@example.com", D("mail.example.com"), {{0}}, "pass", "none", "example.com"},
    {"user@sub.example.com", D("example.com"), {{0}}, "pass", "none", "example.com"},
    {"user@example.com", D("example.net"), {{0}}, "fail", "reject", "example.com"},
    {"user@example.com", D("notexample.com"), {{0}}, "fail", "reject", "example.com"},
    {"user@example.com", D("com"), {{0}}, "fail", "reject", "example.com"},
    {"user@example.com", {CHECK_FAIL, "example.com"}, {{0}}, "fail", "reject", "example.com"},
    {"user@example.com", {CHECK_SOFTFAIL, "example.com"}, {{0}}, "fail", "reject", "example.com"},
    {"user@example.com", {CHECK_NEUTRAL, "example.com"}, {{0}}, "fail", "reject", "example.com"},
    {"user@EXAMPLE.com", D("Example.COM"), {{0}}, "pass", "none", "example.com"},
    /* RFC 7489 B.1.2: DKIM in alignment */
    {"user@example.com", {0}, {D("example.com")}, "pass", "none", "example.com"},
    {"user@example.com", {0}, {D("mail.example.com")}, "pass", "none", "example.com"},
    {"user@sub.example.com", {0}, {D("mail.example.com")}, "pass", "none", "example.com"},
    {"user@example.com", {0}, {D("sample.net")}, "fail", "reject", "example.com"},
    {"user@example.com", {0}, {D("sample.net"), D("example.com")}, "pass", "none", "example.com"},
    {"user@example.com", {0}, {{CHECK_FAIL, "example.com"}}, "fail", "reject", "example.com"},
    {"user@example.com", {0}, {{CHECK_POLICY, "example.com"}}, "fail", "reject", "example.com"},
    {"user@example.com", {CHECK_FAIL, "example.com"}, {D("example.com")}, "pass", "none", "example.com"},
    {"user@example.com", {0}, {{CHECK_TEMPERROR, "example.com"}}, "temperror", "none", "example.com"},
    {"user@example.com", {CHECK_TEMPERROR, "sub.example.com"}, {{0}}, "temperror", "none", "example.com"},
    {"user@example.com", {CHECK_TEMPERROR, "example.net"}, {{0}}, "fail", "reject", "example.com"},
    {"user@example.com", {CHECK_TEMPERROR, "example.com"}, {D("example.com")}, "pass", "none", "example.com"},
    /* strict */
    {"user@strict.test", D("strict.test"), {{0}}, "pass", "none", "strict.test"},
    {"user@strict.test", D("a.strict.test"), {{0}}, "fail", "quarantine", "strict.test"},
    {"user@strict.test", {0}, {D("a.strict.test")}, "fail", "quarantine", "strict.test"},
    {"user@a.strict.test", {0}, {D("strict.test")}, "fail", "quarantine", "strict.test"},
    {"user@a.strict.test", {0}, {D("a.strict.test")}, "pass", "none", "strict.test"},
    /* sp, np, t */
    {"user@sp.test", {0}, {{0}}, "fail", "reject", "sp.test"},
    {"user@a.sp.test", {0}, {{0}}, "fail", "none", "sp.test"},
    {"user@b.a.sp.test", {0}, {{0}}, "fail", "none", "sp.test"},
    {"user@nope.sp.test", {0}, {{0}}, "fail", "quarantine", "sp.test"},
    {"user@nope.spn.test", {0}, {{0}}, "fail", "quarantine", "spn.test"},
    {"user@spn.test", {0}, {{0}}, "fail", "none", "spn.test"},
    {"user@nope.npn.test", {0}, {{0}}, "fail", "reject", "npn.test"},
    {"user@is.npn.test", {0}, {{0}}, "fail", "none", "npn.test"},
    {"user@t.test", {0}, {{0}}, "fail", "quarantine", "t.test"},
    {"user@tq.test", {0}, {{0}}, "fail", "none", "tq.test"},
    {"user@tn.test", {0}, {{0}}, "fail", "none", "tn.test"},
    /* records */
    {"user@nothing.test", D("nothing.test"), {{0}}, "none", "none", "nothing.test"},
    {"user@two.test", D("two.test"), {{0}}, "none", "none", "two.test"},
    {"user@other.test", {0}, {{0}}, "fail", "reject", "other.test"},
    {"user@v2.test", {0}, {{0}}, "none", "none", "v2.test"},
    {"user@case.test", {0}, {{0}}, "none", "none", "case.test"},
    {"user@order.test", {0}, {{0}}, "none", "none", "order.test"},
    {"user@nosemi.test", {0}, {{0}}, "none", "none", "nosemi.test"},
    {"user@space.test", {0}, {{0}}, "fail", "reject", "space.test"},
    {"user@nop.test", {0}, {{0}}, "fail", "none", "nop.test"},
    {"user@nop.test", D("nop.test"), {{0}}, "pass", "none", "nop.test"},
    {"user@nopnorua.test", {0}, {{0}}, "none", "none", "nopnorua.test"},
    {"user@badp.test", {0}, {{0}}, "fail", "none", "badp.test"},
    {"user@badpnorua.test", {0}, {{0}}, "none", "none", "badpnorua.test"},
    {"user@badsp.test", {0}, {{0}}, "fail", "none", "badsp.test"},
    {"user@badspnorua.test", {0}, {{0}}, "none", "none", "badspnorua.test"},
    {"user@badtags.test", D("x.badtags.test"), {{0}}, "pass", "none", "badtags.test"},
    {"user@badtags.test", {0}, {{0}}, "fail", "reject", "badtags.test"},
    /* organizations */
    {"user@mail.bank.example", D("bank.example"), {{0}}, "fail", "none", "mail.bank.example"},
    {"user@x.mail.bank.example", D("y.mail.bank.example"), {{0}}, "pass", "none", "mail.bank.example"},
    {"user@bank.example", D("mail.bank.example"), {{0}}, "fail", "reject", "bank.example"},
    {"user@www.bank.example", D("ftp.bank.example"), {{0}}, "pass", "none", "bank.example"},
    {"user@known.psd", {0}, {{0}}, "fail", "reject", "known.psd"},
    {"user@unknown.psd", {0}, {{0}}, "fail", "quarantine", "unknown.psd"},
    {"user@a.known.psd", D("known.psd"), {{0}}, "pass", "none", "known.psd"},
    {"user@known.psd", D("other.psd"), {{0}}, "fail", "reject", "known.psd"},
    {"user@own.psd", {0}, {{0}}, "fail", "none", "own.psd"},
    {"user@deep.own.psd", {0}, {{0}}, "fail", "none", "own.psd"},
    {"user@psd", {0}, {{0}}, "fail", "none", "psd"},
    {"user@psd", D("x.psd"), {{0}}, "fail", "none", "psd"},
    {"user@a.u.psd2", {0}, {{0}}, "fail", "quarantine", "u.psd2"},
    {"user@agency.gov", {0}, {{0}}, "fail", "reject", "agency.gov"},
    {"user@com.mid.test", {0}, {{0}}, "fail", "none", "mid.test"},
    {"user@x.com.mid.test", {0}, {{0}}, "fail", "reject", "mid.test"},
    /* eight questions (RFC 9989 5.1.7): the record with psd=n is never seen */
    {"user@mail.a.b.c.d.e.f.g.long.test", {0}, {{0}}, "fail", "reject", "long.test"},
    {"user@a.b.c.d.e.f.g.long.test", {0}, {{0}}, "fail", "reject", "long.test"},
    {"user@b.c.d.e.f.g.long.test", {0}, {{0}}, "fail", "none", "b.c.d.e.f.g.long.test"},
    {"user@a.b.c.d.e.f.g.eight.test", {0}, {{0}}, "fail", "quarantine", "c.d.e.f.g.eight.test"},
    {"user@1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.g.eight.test", {0}, {{0}}, "fail", "quarantine", "c.d.e.f.g.eight.test"},
    /* no answer */
    {"user@temp.test", D("temp.test"), {{0}}, "temperror", "none", 0},
    {"user@x.temp.test", {0}, {{0}}, "temperror", "none", 0},
    {"user@up.temp2.test", D("up.temp2.test"), {{0}}, "pass", "none", 0},
    {"user@up.temp2.test", {0}, {{0}}, "fail", "reject", 0},
    {"user@up.temp2.test", D("temp2.test"), {{0}}, "temperror", "none", 0},
    /* From */
    {"user@b\xc3\xbc"
     "cher.test",
     {0},
     {{0}},
     "fail",
     "reject",
     "xn--bcher-kva.test"},
    {"user@xn--BCHER-kva.test", D("xn--bcher-kva.test"), {{0}}, "pass", "none", "xn--bcher-kva.test"},
    {"\"a@other.test\" <b@example.com>", {0}, {{0}}, "fail", "reject", "example.com"},
    {"a@example.com, b@example.com", D("example.com"), {{0}}, "pass", "none", "example.com"},
    {"a@example.com, b@evil.test", D("evil.test"), {{0}}, "none", "none", 0},
    {"a@evil.test\nFrom: b@example.com", D("evil.test"), {{0}}, "none", "none", 0},
    {"Group: a@example.com;", {0}, {{0}}, "fail", "reject", "example.com"},
    {"Nobody:;", {0}, {{0}}, "none", "none", 0},
    {"", {0}, {{0}}, "none", "none", 0},
    {"just a name", {0}, {{0}}, "none", "none", 0},
    {"<user>", {0}, {{0}}, "none", "none", 0},
    {"user@[192.0.2.1]", {0}, {{0}}, "none", "none", 0},
};

static str from_block(struct arena *a, const char *value)
{
    return arena_printf(a, "Subject: x\r\nFrom: %s\r\nTo: y@z.test\r\n\r\n", value);
}

static void results(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct zone z = {.v = zone, .n = COUNT(zone)};
        struct check_source source = {zone_ask, &z};
        struct arena mem;
        struct check_dkim dkim[2] = {0};
        struct check_results r = {.dkim = dkim};
        arena_init(&mem, 4096, 1 << 20);
        struct check c = {.mem = &mem, .source = &source, .deadline = RT_NEVER};
        r.mail.done = cases[i].spf.domain != NULL;
        r.mail.result = cases[i].spf.result;
        r.mail.domain = str_c(cases[i].spf.domain);
        for (; r.ndkim < 2 && cases[i].dkim[r.ndkim].domain; r.ndkim++) {
            dkim[r.ndkim].result = cases[i].dkim[r.ndkim].result;
            dkim[r.ndkim].domain = str_c(cases[i].dkim[r.ndkim].domain);
        }
        check_dmarc(&c, from_block(&mem, cases[i].from), &r);
        if (strcmp(check_result_name(r.dmarc.result), cases[i].result) ||
            strcmp(dmarc_policy_name(r.dmarc.policy), cases[i].policy) ||
            (cases[i].org && !str_eq(r.dmarc.org_domain, str_c(cases[i].org))))
            fail_msg("%zu %s (SPF of %s): %s %s of %.*s (%.*s)", i, cases[i].from, cases[i].spf.domain,
                     check_result_name(r.dmarc.result), dmarc_policy_name(r.dmarc.policy), (int)r.dmarc.org_domain.n,
                     r.dmarc.org_domain.p, (int)r.dmarc.why.n, r.dmarc.why.p);
        assert_true(z.asked <= 3 * WALK_MAX + 1);
        arena_free(&mem);
    }
}

/* A message with ten thousand signatures of others costs no walk; one with many of our own a few. */
static void bounds(void **state)
{
    (void)state;
    static char names[64][80];
    struct zone z = {.v = zone, .n = COUNT(zone)};
    struct check_source source = {zone_ask, &z};
    struct arena mem;
    struct check_dkim dkim[64] = {0};
    struct check_results r = {.dkim = dkim, .ndkim = 64};
    arena_init(&mem, 4096, 1 << 20);
    struct check c = {.mem = &mem, .source = &source, .deadline = RT_NEVER};
    for (int i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "a.b.c.d.e.s%d.mail.bank.example", i);
        dkim[i] = (struct check_dkim){.result = CHECK_PASS, .domain = str_c(names[i])};
    }
    check_dmarc(&c, from_block(&mem, "user@bank.example"), &r);
    assert_int_equal(r.dmarc.result, CHECK_FAIL);
    assert_true(z.asked <= (OTHERS_MAX + 1) * WALK_MAX);
    for (size_t max = 0; max < 3000; max += 37) {
        struct arena little;
        arena_init(&little, 64, max);
        c.mem = &little;
        check_dmarc(&c, S("From: user@bank.example\r\n\r\n"), &r);
        assert_true(r.dmarc.result == CHECK_TEMPERROR || r.dmarc.result == CHECK_FAIL || r.dmarc.result == CHECK_NONE);
        arena_free(&little);
    }
    arena_free(&mem);
}

static const struct zone_record destinations[] = {
    {"_dmarc.example.com", TXT, "v=DMARC1; p=none"},
    {"example.com._report._dmarc.yes.test", TXT, "v=DMARC1"},
    {"example.com._report._dmarc.semi.test", TXT, "v=DMARC1;"},
    {"example.com._report._dmarc.star.test", TXT, "v=DMARC1; rua=mailto:*@star.test"},
    {"example.com._report._dmarc.other.test", TXT, "hello"},
    {"example.com._report._dmarc.many.test", TXT, "hello"},
    {"example.com._report._dmarc.many.test", TXT, "v=DMARC1; rua=mailto:a@many.test"},
    {"example.com._report._dmarc.instead.test", TXT,
     "v=DMARC1; rua=mailto:dmarc@instead.test!1m, mailto:b@INSTEAD.test,mailto:c@evil.test,https://instead.test/;"
     "ruf=mailto:f@instead.test"},
    {"example.com._report._dmarc.evil.test", TXT, "v=DMARC1; rua=mailto:victim@victim.test"},
    {"example.com._report._dmarc.slow.test", TXT, "!TEMP"},
};

/* RFC 9990 4: who may have reports, and where he wants them instead. */
static void external(void **state)
{
    static const struct {
        const char *host;
        bool failures, want;
        const char *instead;
    } rows[] = {
        {"example.com", false, true, ""},
        {"reports.example.com", false, true, ""},
        {"yes.test", false, true, ""},
        {"YES.test", true, true, ""},
        {"semi.test", false, true, ""},
        {"star.test", false, true, "mailto:*@star.test"},
        {"other.test", false, false, ""},
        {"no.test", false, false, ""},
        {"sub.yes.test", false, false, ""},
        {"slow.test", false, false, ""},
        {"many.test", false, true, "mailto:a@many.test"},
        {"instead.test", false, true, "mailto:dmarc@instead.test,mailto:b@INSTEAD.test"},
        {"instead.test", true, true, "mailto:f@instead.test"},
        {"evil.test", false, true, ""}, /* another host is not listened to */
    };
    struct zone z = {.v = destinations, .n = COUNT(destinations)};
    struct check_source source = {zone_ask, &z};
    struct arena mem;
    (void)state;
    arena_init(&mem, 4096, 8 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct check c = {.mem = &mem, .source = &source, .deadline = RT_NEVER};
        str instead;
        bool got = check_report_wanted(&c, S("example.com"), str_c(rows[i].host), rows[i].failures, &instead);
        if (got != rows[i].want || !str_eq(instead, str_c(rows[i].instead)))
            fail_msg("row %zu, %s: %d " STR_FMT, i, rows[i].host, got, STR_ARG(instead));
    }
    arena_free(&mem);
}

static const struct zone_record reverse[] = {
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "mx.example.com"}, {"mx.example.com", DNS_A, "192.0.2.1"},
    {"2.2.0.192.in-addr.arpa", DNS_PTR, "mx.example.com"}, {"3.2.0.192.in-addr.arpa", 0, "!TEMP"},
    {"4.2.0.192.in-addr.arpa", DNS_PTR, "temp.test"},      {"temp.test", 0, "!TEMP"},
};

static void names(void **state)
{
    (void)state;
    static const enum check_result want[] = {CHECK_PERMERROR, CHECK_PASS,      CHECK_FAIL,
                                             CHECK_TEMPERROR, CHECK_TEMPERROR, CHECK_PERMERROR};
    struct zone z = {.v = reverse, .n = COUNT(reverse)};
    struct check_source source = {zone_ask, &z};
    struct arena mem;
    struct check_iprev got;
    arena_init(&mem, 4096, 1 << 20);
    for (uint8_t i = 0; i < COUNT(want); i++) {
        struct check c = {.mem = &mem, .source = &source, .deadline = RT_NEVER, .ip = {4, {192, 0, 2, i}}};
        if (i == 0)
            c.ip.v = 0;
        check_iprev(&c, &got);
        assert_int_equal(got.result, want[i]);
        assert_int_equal(str_eq(got.name, S("mx.example.com")), want[i] == CHECK_PASS);
    }
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(results), cmocka_unit_test(bounds), cmocka_unit_test(external),
                                       cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
