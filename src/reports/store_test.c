/* What is counted is what a report says: lines, policies, limits, periods and their times. */
#include "reports/dmarc.c"
#include "reports/test_place.h"

enum { DAY = 86400 };

static struct send_seen session(const char *domain, enum send_policy policy, const char *result)
{
    return (struct send_seen){.domain = str_c(domain),
                              .policy = policy,
                              .policy_domain = str_c(domain),
                              .lines = policy == SEND_POLICY_STS ? S("version: STSv1\nmode: enforce") : S(""),
                              .hosts = policy == SEND_POLICY_STS ? S("mx.a.test\n*.b.test") : S(""),
                              .result = str_c(result),
                              .sending_ip = S("192.0.2.1"),
                              .receiving_ip = S("192.0.2.2"),
                              .mx = S("mx.a.test"),
                              .reason = S("a\treason\r\n")};
}

static void count(int n, const char *domain, enum send_policy policy, const char *result)
{
    struct send_seen s = session(domain, policy, result);
    for (int i = 0; i < n; i++)
        reports_session(&s);
}

static void tls(void **state)
{
    (void)state;
    struct period p;
    int64_t now_s = rt_wall_ms() / 1000, begin_s = now_s - now_s % DAY;
    place_begin("");
    count(5, "a.test", SEND_POLICY_STS, "");
    count(2, "a.test", SEND_POLICY_STS, "certificate-expired");
    count(1, "a.test", SEND_POLICY_NONE, "starttls-not-supported");
    store_flush();
    count(1, "a.test", SEND_POLICY_STS, "");
    reports_close(); /* over a restart */
    place_open();
    assert_false(period_next(&p, now_s, DAY)); /* the day is not over */
    assert_true(period_next(&p, begin_s + 2 * DAY, DAY));
    assert_int_equal(p.kind, KIND_TLS);
    assert_str(p.domain, "a.test");
    assert_true(p.begin_s == begin_s && p.end_s == begin_s + DAY - 1 && p.count == 9);
    assert_int_equal(p.t.npolicies, 2);
    const struct tlsrpt_policy *none = &p.t.policies[0], *sts = &p.t.policies[1];
    assert_str(none->type, "no-policy-found");
    assert_true(none->good == 0 && none->bad == 1 && none->nfailures == 1 && none->nlines == 0);
    assert_str(sts->type, "sts");
    assert_true(sts->good == 6 && sts->bad == 2 && sts->nlines == 2 && sts->nhosts == 2);
    assert_str(sts->lines[1], "mode: enforce");
    assert_str(sts->hosts[1], "*.b.test");
    assert_str(sts->failures[0].type, "certificate-expired");
    assert_str(sts->failures[0].mx, "mx.a.test");
    assert_str(sts->failures[0].reason, "a?reason??");
    period_done(&p);
    arena_free(&p.mem);
    assert_false(period_next(&p, begin_s + 2 * DAY, DAY));
    place_end();
}

static void switched_off(void **state)
{
    (void)state;
    struct period p;
    place_begin("tls = false");
    count(1, "a.test", SEND_POLICY_NONE, "");
    store_flush();
    assert_false(period_next(&p, rt_wall_ms() / 1000 + 2 * DAY, DAY));
    place_end();
}

/* max-lines = 10: ten different lines are kept, of an eleventh nothing; more of the ten still count. */
static void limit(void **state)
{
    (void)state;
    struct period p;
    char domain[32];
    int found = 0;
    place_begin("max-lines = 10");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 11; i++) {
            snprintf(domain, sizeof domain, "d%02d.test", i);
            count(1, domain, SEND_POLICY_NONE, "");
        }
    store_flush();
    while (period_next(&p, rt_wall_ms() / 1000 + 2 * DAY, DAY)) {
        assert_true(p.count == 2 && !str_eq(p.domain, S("d10.test")));
        period_done(&p);
        arena_free(&p.mem);
        found++;
    }
    assert_int_equal(found, 10);
    place_end();
}

static void times(void **state)
{
    (void)state;
    struct period p;
    int64_t far = rt_wall_ms() / 1000 + 3 * DAY, least = INT64_MAX, most = 0;
    char domain[32];
    place_begin("");
    for (int i = 0; i < 200; i++) { /* the same for a domain each day, different for domains, within four hours */
        snprintf(domain, sizeof domain, "d%d.test", i);
        int64_t due = period_due(place.conf, str_c(domain), 0, DAY);
        assert_true(due == period_due(place.conf, str_c(domain), DAY, DAY) - DAY);
        least = due < least ? due : least;
        most = due > most ? due : most;
    }
    assert_true(least >= DAY && most < DAY + 4 * 3600 && most - least > 3600);
    assert_true(period_due(place.conf, S("a.test"), 0, 60) <= 60 + 10); /* at most a sixth */
    place_configure("spread = \"0s\"");
    assert_int_equal(period_due(place.conf, S("a.test"), 0, DAY), DAY);
    /* put off: not before, then again, and it counts its tries */
    count(1, "a.test", SEND_POLICY_NONE, "");
    store_flush();
    assert_true(period_next(&p, far, DAY) && p.tries == 0);
    period_later(&p, far + 100);
    arena_free(&p.mem);
    assert_false(period_next(&p, far + 99, DAY));
    assert_true(period_next(&p, far + 100, DAY) && p.tries == 1);
    arena_free(&p.mem);
    place_end();
}

static void dmarc(void **state)
{
    (void)state;
    struct period p;
    struct check_dkim signatures[] = {{.domain = S_INIT("other.test"), .selector = S_INIT("s"), .result = CHECK_FAIL},
                                      {.domain = S_INIT("a.test"), .selector = S_INIT("t"), .result = CHECK_PASS}};
    struct check c = {.from = S("x@a.test")};
    struct check_results r = {.dkim = signatures, .ndkim = 2};
    struct checks_seen s = {&c, &r, DMARC_POLICY_NONE};
    r.mail.domain = r.dmarc.from = r.dmarc.policy_domain = S("a.test");
    r.dmarc.rua = S("mailto:a@a.test");
    r.dmarc.p = DMARC_REJECT;
    r.dmarc.published = DMARC_POLICY_REJECT;
    place_begin("");
    assert_true(ip_parse(S("192.0.2.1"), &c.ip));
    r.dmarc.result = CHECK_PASS;
    r.dmarc.dkim_aligned = true;
    reports_seen(&s);
    reports_seen(&s);
    r.dmarc.result = CHECK_FAIL; /* less is done than asked for */
    r.dmarc.policy = DMARC_POLICY_REJECT;
    r.dmarc.dkim_aligned = false;
    reports_seen(&s);
    r.dmarc.testing = true; /* by t=y */
    r.dmarc.policy = s.disposition = DMARC_POLICY_QUARANTINE;
    reports_seen(&s);
    r.dmarc.rua = S(""); /* nobody asks */
    reports_seen(&s);
    store_flush();
    assert_true(period_next(&p, rt_wall_ms() / 1000 + 2 * DAY, DAY));
    assert_true(p.kind == KIND_DMARC && p.f.nrows == 3);
    assert_str(p.rua, "mailto:a@a.test");
    assert_str(p.f.p, "reject");
    int seen = 0;
    for (size_t i = 0; i < p.f.nrows; i++) {
        const struct feedback_row *w = &p.f.rows[i];
        assert_str(w->signatures[0].domain, "a.test"); /* the one that passes goes first */
        assert_int_equal(w->nsignatures, 2);
        bool pass = str_eq(w->disposition, S("pass")) && w->count == 2 && !w->reason.n;
        bool local = str_eq(w->disposition, S("none")) && str_eq(w->reason, S("local_policy"));
        bool test = str_eq(w->disposition, S("quarantine")) && str_eq(w->reason, S("policy_test_mode"));
        seen += pass + 10 * local + 100 * test;
    }
    assert_int_equal(seen, 111);
    arena_free(&p.mem);
    place_end();
}

/* Thousands of addresses: those that fit are kept, each of them whole; a tab among them ends nothing. */
static void many_addresses(void **state)
{
    (void)state;
    AUTO_BUF rua = {.max = 100000}, policy = {.max = 4096};
    struct check_dmarc d = {.p = DMARC_REJECT};
    for (int i = 0; i < 3000; i++)
        buf_printf(&rua, "%smailto:a%d@a.test", i ? ",\t" : "", i);
    for (size_t n = RUA_MAX - 30; n < RUA_MAX + 30; n++) {
        d.rua = str_sub(buf_str(&rua), 0, n);
        buf_clear(&policy);
        make_policy(&policy, &d);
        str rest = buf_str(&policy), kept = field_take(&rest);
        assert_true(kept.n <= RUA_MAX && (n <= RUA_MAX || str_ends(kept, S("@a.test"))));
        assert_str(field_take(&rest), "reject");
    }
    d.rua = str_mem(rua.p, 0);
    buf_clear(&rua);
    buf_add_c(&rua, "mailto:");
    for (int i = 0; i < RUA_MAX; i++)
        buf_add_char(&rua, 'x');
    d.rua = buf_str(&rua); /* none fits */
    buf_clear(&policy);
    make_policy(&policy, &d);
    assert_true(policy.n < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tls),   cmocka_unit_test(switched_off),
                                       cmocka_unit_test(limit), cmocka_unit_test(times),
                                       cmocka_unit_test(dmarc), cmocka_unit_test(many_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
