/* check_host() on a zone in memory: what the sections of RFC 7208 say, limits first. */
#include "check/spf.c"
#include "check/test_zone.h"

#define TXT DNS_TXT
#define L60 "123456789012345678901234567890123456789012345678901234567890"

static const struct zone_record zone[] = {
    /* terms that ask: ten and eleven */
    {"ten.test", TXT, "v=spf1 a a a a a a a a a a ip4:192.0.2.1 -all"},
    {"ten.test", DNS_A, "198.51.100.1"},
    {"eleven.test", TXT, "v=spf1 a a a a a a a a a a a ip4:192.0.2.1 -all"},
    {"eleven.test", DNS_A, "198.51.100.1"},
    {"early.test", TXT, "v=spf1 ip4:192.0.2.1 a a a a a a a a a a a -all"},
    {"nine.test", TXT, "v=spf1 a a a a a a a a include:inner.test -all"},
    {"nine.test", DNS_A, "198.51.100.1"},
    {"inner.test", TXT, "v=spf1 a ip4:192.0.2.1"},
    {"inner.test", DNS_A, "198.51.100.1"},
    {"tenin.test", TXT, "v=spf1 a a a a a a a a a include:inner.test -all"},
    {"tenin.test", DNS_A, "198.51.100.1"},
    {"tenre.test", TXT, "v=spf1 a a a a a a a a a a redirect=nothing.test"},
    {"tenre.test", DNS_A, "198.51.100.1"},
    /* questions that find nothing */
    {"void2.test", TXT, "v=spf1 a:no1.test exists:no2.test ip4:192.0.2.1 -all"},
    {"void3.test", TXT, "v=spf1 a:no1.test exists:no2.test mx:no3.test ip4:192.0.2.1 -all"},
    {"nodata.test", TXT, "v=spf1 a mx exists:nodata.test ip4:192.0.2.1 -all"},
    /* loops */
    {"loop.test", TXT, "v=spf1 redirect=loop.test"},
    {"loopi.test", TXT, "v=spf1 include:loopi.test -all"},
    {"a1.test", TXT, "v=spf1 include:a2.test"},
    {"a2.test", TXT, "v=spf1 include:a1.test"},
    /* redirect and include of nothing */
    {"renone.test", TXT, "v=spf1 redirect=nothing.test"},
    {"inone.test", TXT, "v=spf1 include:nothing.test -all"},
    {"reok.test", TXT, "v=spf1 redirect=inner.test"},
    {"retwice.test", TXT, "v=spf1 redirect=inner.test redirect=inner.test"},
    {"exptwice.test", TXT, "v=spf1 exp=e.test exp=e.test -all"},
    {"reempty.test", TXT, "v=spf1 redirect= -all"},
    {"expempty.test", TXT, "v=spf1 exp= -all"},
    {"remacro.test", TXT, "v=spf1 redirect=%{d2}.%{z}"},
    {"recase.test", TXT, "v=spf1 ReDiReCt=INNER.test"},
    {"unknown.test", TXT, "v=spf1 x-y_z.9=%{c}%%ok A:INNER.TEST IP4:192.0.2.1 -ALL"},
    {"badunknown.test", TXT, "v=spf1 xyz=%(d) +all"},
    {"percent.test", TXT, "v=spf1 a:foo%x.test +all"},
    {"many1.test", TXT, "v=spf1 +all"},
    {"many1.test", TXT, "other"},
    {"many2.test", TXT, "v=spf1 +all"},
    {"many2.test", TXT, "v=spf1 -all"},
    {"temp.test", 0, "!TEMP"},
    {"intemp.test", TXT, "v=spf1 include:temp.test +all"},
    {"atemp.test", TXT, "v=spf1 a:temp.test +all"},
    {"mxtemp.test", TXT, "v=spf1 mx +all"},
    {"mxtemp.test", DNS_MX, "10 temp.test"},
    /* MX: ten and eleven */
    {"mx10.test", TXT, "v=spf1 mx -all"},
    {"mx10.test", DNS_MX, "1 none.test"},
    {"mx10.test", DNS_MX, "2 none.test"},
    {"mx10.test", DNS_MX, "3 none.test"},
    {"mx10.test", DNS_MX, "4 none.test"},
    {"mx10.test", DNS_MX, "5 none.test"},
    {"mx10.test", DNS_MX, "6 none.test"},
    {"mx10.test", DNS_MX, "7 none.test"},
    {"mx10.test", DNS_MX, "8 none.test"},
    {"mx10.test", DNS_MX, "9 none.test"},
    {"mx10.test", DNS_MX, "10 client.test"},
    {"mx11.test", TXT, "v=spf1 mx:mx10.test mx -all"},
    {"mx11.test", DNS_MX, "1 none.test"},
    {"mx11.test", DNS_MX, "2 none.test"},
    {"mx11.test", DNS_MX, "3 none.test"},
    {"mx11.test", DNS_MX, "4 none.test"},
    {"mx11.test", DNS_MX, "5 none.test"},
    {"mx11.test", DNS_MX, "6 none.test"},
    {"mx11.test", DNS_MX, "7 none.test"},
    {"mx11.test", DNS_MX, "8 none.test"},
    {"mx11.test", DNS_MX, "9 none.test"},
    {"mx11.test", DNS_MX, "10 none.test"},
    {"mx11.test", DNS_MX, "11 inner.test"},
    {"mx11b.test", TXT, "v=spf1 mx:mx11.test -all"},
    {"client.test", DNS_A, "192.0.2.1"},
    {"client.test", DNS_AAAA, "2001:db8::1"},
    /* PTR: only ten names */
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "liar.test"},
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "temp.test"},
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "Client.Test"},
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "x.below.test"},
    {"x.below.test", DNS_A, "192.0.2.1"},
    {"liar.test", DNS_A, "198.51.100.2"},
    {"client.test", TXT, "v=spf1 ptr -all"},
    {"ptrlie.test", TXT, "v=spf1 ptr:liar.test -all"},
    {"below.test", TXT, "v=spf1 ptr -all"},
    {"low.test", TXT, "v=spf1 ptr -all"}, /* x.below.test does not end in .low.test */
    /* ... the tenth counts, the eleventh does not */
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n1.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n2.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n3.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n4.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n5.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n6.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n7.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n8.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "n9.test"},
    {"10.2.0.192.in-addr.arpa", DNS_PTR, "client.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n1.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n2.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n3.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n4.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n5.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n6.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n7.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n8.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n9.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "n10.test"},
    {"11.2.0.192.in-addr.arpa", DNS_PTR, "client.test"},
    {"client.test", DNS_A, "192.0.2.10"},
    {"client.test", DNS_A, "192.0.2.11"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no1.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no2.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no3.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no4.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no5.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no6.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no7.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no8.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no9.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "no10.test"},
    {"9.2.0.192.in-addr.arpa", DNS_PTR, "late.test"},
    {"late.test", DNS_A, "192.0.2.9"},
    {"late.test", TXT, "v=spf1 ptr -all"},
    /* macros in names */
    {"macro.test", TXT, "v=spf1 exists:%{l1r-}.%{o2}.%{ir}.%{v}._m.test -all"},
    {"bad.sender.test.1.2.0.192.in-addr._m.test", DNS_A, "127.0.0.2"},
    {"strong.macro.test.1.2.0.192.in-addr._m.test", DNS_A, "127.0.0.2"},
    {"macro6.test", TXT, "v=spf1 exists:%{i}._i.test -all"},
    {"2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1._i.test", DNS_A, "127.0.0.2"},
    {"crt.test", TXT, "v=spf1 exists:%{c}.x.test +all"},
    {"zero.test", TXT, "v=spf1 exists:%{d0}.x.test +all"},
    {"late-macro.test", TXT, "v=spf1 +all exists:%{q}.test"},
    {"eai.test", TXT, "v=spf1 exists:%{l}.x.test include:%{s}.x.test ip4:192.0.2.1 -all"},
    {"percents.test", TXT, "v=spf1 exists:a%%b%_c%-d.test -all"},
    {"a%b c%20d.test", DNS_A, "127.0.0.2"},
    {"ptrmacro.test", TXT, "v=spf1 exists:%{p}.p.test -all"},
    {"Client.Test.p.test", DNS_A, "127.0.0.2"},
    {"unknown.p.test", DNS_A, "127.0.0.2"},
    {"long.test", TXT, "v=spf1 exists:" L60 "." L60 "." L60 "." L60 "." L60 ".%{d} -all"},
    {L60 "." L60 "." L60 "." L60 ".long.test", DNS_A, "127.0.0.2"},
    {"xn--bcher-kva.test", TXT, "v=spf1 exists:%{d}.idn.test -all"},
    {"xn--bcher-kva.test.idn.test", DNS_A, "127.0.0.2"},
    /* explanations */
    {"exp.test", TXT, "v=spf1 exp=%{d1r}.e.test -all"},
    {"exp.e.test", TXT, "%{s} from %{c} (%{i}, %{v}, %{h}) at %{r}, %{t}: http://x.test/?s=%{S}&l=%{L-}%_%%%-"},
    {"exp2.test", TXT, "v=spf1 exp=two.e.test -all"},
    {"two.e.test", TXT, "one"},
    {"two.e.test", TXT, "two"},
    {"exp3.test", TXT, "v=spf1 exp=bad.e.test -all"},
    {"bad.e.test", TXT, "%{x}"},
    {"exp4.test", TXT, "v=spf1 exp=temp.test -all"},
    {"exp5.test", TXT, "v=spf1 exp=none.e.test -all"},
    {"exp6.test", TXT, "v=spf1 exp=eight.e.test -all"},
    {"eight.e.test", TXT, "caf\xc3\xa9"},
    {"exp7.test", TXT, "v=spf1 include:inexp.test redirect=reexp.test exp=two.e.test"},
    {"inexp.test", TXT, "v=spf1 exp=bad.e.test -all"},
    {"reexp.test", TXT, "v=spf1 -all exp=d.e.test"},
    {"d.e.test", TXT, "%{d}"},
    {"soft.test", TXT, "v=spf1 ~all exp=d.e.test"},
};

static const struct {
    const char *ip, *helo, *from, *result, *explanation;
} cases[] = {
    {"192.0.2.1", "h", "a@ten.test", "pass", 0},
    {"192.0.2.1", "h", "a@eleven.test", "permerror", 0},
    {"192.0.2.1", "h", "a@early.test", "pass", 0},
    {"192.0.2.1", "h", "a@nine.test", "pass", 0},
    {"192.0.2.1", "h", "a@tenin.test", "permerror", 0},
    {"192.0.2.1", "h", "a@tenre.test", "permerror", 0},
    {"192.0.2.1", "h", "a@void2.test", "pass", 0},
    {"192.0.2.1", "h", "a@void3.test", "permerror", 0},
    {"192.0.2.1", "h", "a@nodata.test", "permerror", 0},
    {"192.0.2.1", "h", "a@loop.test", "permerror", 0},
    {"192.0.2.1", "h", "a@loopi.test", "permerror", 0},
    {"192.0.2.1", "h", "a@a1.test", "permerror", 0},
    {"192.0.2.1", "h", "a@renone.test", "permerror", 0},
    {"192.0.2.1", "h", "a@inone.test", "permerror", 0},
    {"192.0.2.1", "h", "a@reok.test", "pass", 0},
    {"192.0.2.9", "h", "a@reok.test", "neutral", 0},
    {"192.0.2.1", "h", "a@retwice.test", "permerror", 0},
    {"192.0.2.1", "h", "a@exptwice.test", "permerror", 0},
    {"192.0.2.1", "h", "a@reempty.test", "permerror", 0},
    {"192.0.2.1", "h", "a@expempty.test", "permerror", 0},
    {"192.0.2.1", "h", "a@remacro.test", "permerror", 0},
    {"192.0.2.1", "h", "a@recase.test", "pass", 0},
    {"192.0.2.1", "h", "a@unknown.test", "pass", 0},
    {"192.0.2.9", "h", "a@unknown.test", "fail", ""},
    {"192.0.2.1", "h", "a@badunknown.test", "permerror", 0},
    {"192.0.2.1", "h", "a@percent.test", "permerror", 0},
    {"192.0.2.1", "h", "a@many1.test", "pass", 0},
    {"192.0.2.1", "h", "a@many2.test", "permerror", 0},
    {"192.0.2.1", "h", "a@temp.test", "temperror", 0},
    {"192.0.2.1", "h", "a@intemp.test", "temperror", 0},
    {"192.0.2.1", "h", "a@atemp.test", "temperror", 0},
    {"192.0.2.1", "h", "a@mxtemp.test", "temperror", 0},
    {"192.0.2.1", "h", "a@mx10.test", "pass", 0},
    {"192.0.2.1", "h", "a@mx11.test", "pass", 0},
    {"192.0.2.2", "h", "a@mx11.test", "permerror", 0},
    {"192.0.2.1", "h", "a@mx11b.test", "permerror", 0},
    {"192.0.2.1", "h", "a@client.test", "pass", 0},
    {"192.0.2.9", "h", "a@client.test", "fail", ""},
    {"192.0.2.10", "h", "a@client.test", "pass", 0},
    {"192.0.2.11", "h", "a@client.test", "fail", ""},
    {"192.0.2.1", "h", "a@ptrlie.test", "fail", ""},
    {"192.0.2.1", "h", "a@below.test", "pass", 0},
    {"192.0.2.1", "h", "a@low.test", "fail", ""},
    {"192.0.2.9", "h", "a@late.test", "fail", ""},
    {"192.0.2.1", "h", "strong-bad@macro.test", "pass", 0},
    {"192.0.2.1", "h", "weak-bad@macro.test", "fail", ""},
    {"2001:db8::1", "h", "a@macro6.test", "pass", 0},
    {"192.0.2.1", "h", "a@crt.test", "permerror", 0},
    {"192.0.2.1", "h", "a@zero.test", "permerror", 0},
    {"192.0.2.1", "h", "a@late-macro.test", "permerror", 0},
    {"192.0.2.1", "h", "b\xc3\xbc@eai.test", "pass", 0},
    {"192.0.2.1", "h", "a@eai.test", "permerror", 0}, /* the include leads nowhere */
    {"192.0.2.1", "h", "a@percents.test", "pass", 0},
    {"192.0.2.1", "h", "a@ptrmacro.test", "pass", 0},
    {"198.51.100.77", "h", "a@ptrmacro.test", "pass", 0},
    {"192.0.2.1", "h", "a@long.test", "pass", 0}, /* cut to exactly 253 octets */
    {"192.0.2.1", "h",
     "a@b\xc3\xbc"
     "cher.test",
     "pass", 0},
    {"192.0.2.1", "h.test", "b-c@exp.test", "fail",
     "b-c@exp.test from 192.0.2.1 (192.0.2.1, in-addr, h.test) at us.test, 1700000000: "
     "http://x.test/?s=b-c%40exp.test&l=b.c %%20"},
    {"192.0.2.1", "h", "a@exp2.test", "fail", ""},
    {"192.0.2.1", "h", "a@exp3.test", "fail", ""},
    {"192.0.2.1", "h", "a@exp4.test", "fail", ""},
    {"192.0.2.1", "h", "a@exp5.test", "fail", ""},
    {"192.0.2.1", "h", "a@exp6.test", "fail", ""},
    {"192.0.2.1", "h", "a@exp7.test", "fail", "reexp.test"},
    {"192.0.2.1", "h", "a@soft.test", "softfail", 0},
    {"192.0.2.1", "inner.test", "", "pass", 0},
    {"192.0.2.1", "[192.0.2.1]", "", "none", 0},
    {"192.0.2.1", "localhost", "", "none", 0},
    {"192.0.2.1", "", "", "none", 0},
    {"192.0.2.1", "h", "inner.test", "pass", 0},
    {"192.0.2.1", "h", "a@inner.test.", "pass", 0},
    {"192.0.2.1", "h", "a@b@inner.test", "pass", 0},
    {"192.0.2.1", "h", "a@" L60 L60 ".test", "none", 0},
    {"192.0.2.1", "h", "a@\xff.test", "none", 0},
    {"::ffff:192.0.2.1", "h", "a@inner.test", "pass", 0},
};

static void results(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct zone z = {.v = zone, .n = COUNT(zone)};
        struct check_source source = {zone_ask, &z};
        struct arena mem;
        struct check_spf got;
        arena_init(&mem, 4096, 1 << 20);
        struct check c = {.mem = &mem,
                          .source = &source,
                          .deadline = RT_NEVER,
                          .now_s = 1700000000,
                          .helo = str_c(cases[i].helo),
                          .from = str_c(cases[i].from),
                          .us = S("us.test")};
        assert_true(ip_parse(str_c(cases[i].ip), &c.ip));
        check_spf_mail(&c, &got);
        if (strcmp(check_result_name(got.result), cases[i].result))
            fail_msg("%s: expected %s, found %s (%.*s)", cases[i].from, cases[i].result, check_result_name(got.result),
                     (int)got.why.n, got.why.p);
        if (cases[i].explanation && !str_eq(got.explanation, str_c(cases[i].explanation)))
            fail_msg("%s: expected \"%s\", found \"%.*s\"", cases[i].from, cases[i].explanation, (int)got.explanation.n,
                     got.explanation.p);
        assert_true(z.asked <= 130);
        arena_free(&mem);
    }
}

/* Whichever allocation fails, the answer is temperror or what it would be anyway. */
static void little_memory(void **state)
{
    (void)state;
    for (size_t max = 0; max < 40000; max += 61) {
        struct zone z = {.v = zone, .n = COUNT(zone)};
        struct check_source source = {zone_ask, &z};
        struct arena mem;
        struct check_spf got;
        arena_init(&mem, 64, max);
        struct check c = {
            .mem = &mem, .source = &source, .deadline = RT_NEVER, .helo = S("h"), .from = S("a@exp7.test")};
        c.ip = (struct ip){.v = 4, .b = {192, 0, 2, 1}};
        check_spf_mail(&c, &got);
        assert_true(got.result == CHECK_TEMPERROR || got.result == CHECK_FAIL);
        arena_free(&mem);
    }
}

/* No time left, or too many questions: temperror, and nobody is asked. */
static void bounds(void **state)
{
    (void)state;
    struct zone z = {.v = zone, .n = COUNT(zone)};
    struct check_source source = {zone_ask, &z};
    struct arena mem;
    struct check_spf got;
    arena_init(&mem, 4096, 1 << 20);
    struct check c = {.mem = &mem, .source = &source, .deadline = rt_now(), .helo = S("h"), .from = S("a@ten.test")};
    c.ip = (struct ip){.v = 4, .b = {192, 0, 2, 1}};
    check_spf_mail(&c, &got);
    assert_int_equal(got.result, CHECK_TEMPERROR);
    assert_int_equal(z.asked, 0);
    c.deadline = RT_NEVER;
    c.questions_max = 5;
    check_spf_mail(&c, &got);
    assert_int_equal(got.result, CHECK_TEMPERROR);
    assert_int_equal(z.asked, 5);
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(results), cmocka_unit_test(little_memory),
                                       cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
