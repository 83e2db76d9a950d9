/* Failure reports: who asked for one (fo=), limits at the limit and beyond, loops, what is told and what is not. */
#include "reports/failure.c"
#include "reports/failure_text.c"
#include "reports/test_place.h"

#include "wire/enclosed.h"
#include "wire/arf.h"

#define HEAD                                                                                                           \
    "Received: from h.test by mx.example.test for <alice@example.test>; Sun, 22 Nov 2026 10:00:00 +0000\r\n"           \
    "DKIM-Signature: v=1; d=a.test; s=sel; i=joe.doe@a.test; b=\r\n"                                                   \
    "From: \"Joe\" <joe@a.test>\r\nTo: alice@example.test\r\nSubject: secret\r\n"                                      \
    "Message-ID: <123@a.test>\r\nList-ID: x\r\n\xc3\xa4: y\r\n\r\n"

static struct check_dkim bad_sig = {
    .result = CHECK_FAIL, .domain = S_INIT("a.test"), .selector = S_INIT("sel"), .identity = S_INIT("joe.doe@a.test")};

static struct check_results judged(const char *fo, enum check_result dmarc, bool dkim, bool spf)
{
    struct check_results r = {0};
    r.dmarc = (struct check_dmarc){.result = dmarc,
                                   .from = S("a.test"),
                                   .policy_domain = S("a.test"),
                                   .ruf = S("mailto:ruf@a.test"),
                                   .fo = str_c(fo),
                                   .dkim_aligned = dkim,
                                   .spf_aligned = spf};
    r.mail = (struct check_spf){.done = true, .result = spf ? CHECK_PASS : CHECK_SOFTFAIL, .domain = S("a.test")};
    r.dkim = dkim ? NULL : &bad_sig;
    r.ndkim = !dkim;
    return r;
}

static void options(void **state)
{
    static const struct {
        const char *fo;
        bool dkim, spf, want;
    } rows[] = {
        {"", false, false, true},   {"", false, true, false},   {"0", false, false, true},
        {"0", true, false, false},  {"1", true, false, true},   {"1", true, true, false},
        {"1", false, true, true},   {"d", false, true, true},   {"d", true, false, false},
        {"s", true, false, true},   {"s", false, true, false},  {"x", false, false, true},
        {"x", false, true, false},  {"x:1", false, true, true}, {" D : s ", true, false, true},
        {"0:d", false, true, true}, {"::", false, false, true}, {"1:0", true, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool pass = rows[i].dkim || rows[i].spf;
        struct check_results r = judged(rows[i].fo, pass ? CHECK_PASS : CHECK_FAIL, rows[i].dkim, rows[i].spf);
        if (asked_for(&r) != rows[i].want)
            fail_msg("row %zu: fo=%s", i, rows[i].fo);
    }
}

static void empty(void)
{
    for (struct failure *f; (f = take_first());)
        forget(f);
    memset(quotas, 0, sizeof quotas);
    memset(&all, 0, sizeof all);
}

static size_t tell(const char *domain, const char *sender, const char *head, size_t times)
{
    struct arena mem;
    struct check_results r = judged("", CHECK_FAIL, false, false);
    r.dmarc.policy_domain = str_c(domain);
    size_t before = waiting;
    arena_init(&mem, 4096, 1 << 20);
    struct check c = {.mem = &mem, .from = str_c(sender), .ip = {4, {192, 0, 2, 1}}, .now_s = 1795000000};
    for (size_t i = 0; i < times; i++)
        failures_seen(place.conf, &(struct checks_seen){&c, &r, DMARC_POLICY_REJECT, str_c(head)});
    arena_free(&mem);
    return waiting - before;
}

static void limits(void **state)
{
    (void)state;
    place_begin("failures = true  failure-limit = 3  failure-limit-all = 5");
    assert_int_equal(tell("a.test", "x@a.test", HEAD, 3), 3);
    assert_int_equal(tell("A.test", "x@a.test", HEAD, 7), 0); /* the same domain */
    assert_int_equal(tell("b.test", "x@a.test", HEAD, 3), 2); /* the limit of all */
    all.sent = 0;
    for (size_t i = 0; i < DOMAINS_MAX; i++) /* an hour later the next one stands for those that were held back */
        quotas[i].hour -= quotas[i].hour > 0;
    empty();
    place_configure("failures = true  failure-limit = 1000  failure-limit-all = 100000");
    assert_int_equal(tell("a.test", "x@a.test", HEAD, WAITING_MAX + 10), WAITING_MAX);
    struct failure *f = take_first();
    assert_int_equal(f->incidents, 1);
    forget(f);
    assert_int_equal(tell("a.test", "x@a.test", HEAD, 1), 1);
    while (waiting > 1)
        forget(take_first());
    f = take_first();
    assert_int_equal(f->incidents, 11);
    forget(f);
    empty();
    /* more domains than are told apart: some are held back, nothing grows */
    size_t sent = 0;
    char name[40];
    for (size_t i = 0; i < 4 * DOMAINS_MAX; i++) {
        snprintf(name, sizeof name, "d%zu.test", i);
        sent += tell(name, "x@a.test", HEAD, 1);
        while (waiting)
            forget(take_first());
    }
    assert_true(sent > DOMAINS_MAX / 2 && sent <= DOMAINS_MAX);
    empty();
    place_end();
}

static void loops(void **state)
{
    static const struct {
        const char *sender, *head;
        size_t want;
    } rows[] = {
        {"x@a.test", HEAD, 1},
        {"", HEAD, 0},
        {"x@a.test", "Auto-Submitted: auto-generated\r\n\r\n", 0},
        {"x@a.test", "auto-submitted:\r\n auto-replied (vacation)\r\n\r\n", 0},
        {"x@a.test", "Auto-Submitted: no\r\n\r\n", 1},
        {"x@a.test", "Content-Type:\r\n\tMultipart/Report; report-type=feedback-report; boundary=x\r\n\r\n", 0},
        {"x@a.test", "Content-Type: message/feedback-report\r\n\r\n", 0},
        {"x@a.test", "Content-Type: multipart/mixed\r\n\r\n", 1},
    };
    (void)state;
    place_begin("failures = true");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        empty();
        if (tell("a.test", rows[i].sender, rows[i].head, 1) != rows[i].want)
            fail_msg("row %zu", i);
    }
    empty();
    place_end();
}

static void print(struct buf *out, struct arena *a, struct arf *got)
{
    struct enclosed e;
    AUTO_BUF text = {.max = 1 << 20};
    assert_int_equal(tell("a.test", "SRS0=ab=cd=bob@a.test", HEAD, 1), 1);
    struct failure *f = take_first();
    buf_init(out, 1 << 20);
    assert_int_equal(
        failure_print(f, place.conf, S("r@mx.example.test"), S("ruf@a.test"), S("v=spf1 exp=\"x\\ -all"), out), OK);
    forget(f);
    assert_int_equal(enclosed_find(buf_str(out), &text, &e), OK);
    assert_int_equal(e.kind, ENCLOSED_FEEDBACK);
    assert_int_equal(arf_read(e.text, e.original, a, got), OK);
    for (size_t i = 0; i < out->n; i++)
        assert_true(out->p[i] == '\r' || out->p[i] == '\n' || out->p[i] == '\t' ||
                    (out->p[i] >= ' ' && out->p[i] <= '~'));
}

static bool says(const struct buf *b, const char *words) { return str_search(buf_str(b), str_c(words)) != STR_NONE; }

static void told(void **state)
{
    struct buf out;
    struct arf got;
    struct arena a;
    (void)state;
    place_begin("failures = true");
    arena_init(&a, 4096, 1 << 20);
    print(&out, &a, &got);
    assert_true(arf_is_failure(&got) && str_eq(got.failure, S("dmarc")) && str_eq(got.alignment, S("none")));
    assert_true(str_eq(got.delivery, S("reject")) && str_eq(got.source_ip, S("192.0.2.1")));
    assert_true(got.ndomains == 1 && str_eq(got.domains[0], S("a.test")) && str_eq(got.dkim_domain, S("a.test")));
    assert_true(got.nrcpt == 0 && got.results.n && str_starts(got.from, S("<redacted@a.test>")));
    static const char *const secrets[] = {"alice",           "joe",      "Joe", "bob", "SRS0", "secret",
                                          "Subject: secret", "To: alice"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (says(&out, secrets[i]))
            fail_msg("it tells %s", secrets[i]);
    assert_true(says(&out, "<123@a.test>") && says(&out, "SPF-DNS: txt : a.test : \"v=spf1 exp=\\\"x\\\\ -all\""));
    buf_free(&out);
    empty();
    place_configure("failures = true  failure-redact = false");
    print(&out, &a, &got);
    assert_true(says(&out, "Subject: secret") && says(&out, "To: alice@example.test") && says(&out, "SRS0=ab=cd=bob@"));
    buf_free(&out);
    arena_free(&a);
    empty();
    place_end();
}

static void redaction(void **state)
{
    static const struct {
        const char *text, *want; /* # a hash */
    } rows[] = {
        {"no address", "no address"},
        {"i=joe@a.test", "i=#@a.test"},
        {"for <a=b@c.test>;", "for <#@c.test>;"},
        {"smtp.mailfrom=a=b@c.test", "smtp.mailfrom=#@c.test"},
        {"\"a b\"@c.test x", "#@c.test x"},
        {"smtp.mailfrom=\"a=b@c.test\"", "smtp.mailfrom=\"#@c.test\""},
        {"x\"@c", "#@c"},
        {"@a.test", "@a.test"},
        {"a@b@c", "#@#@c"},
        {"@", "@"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_BUF out = {.max = 1000}, flat = {.max = 1000};
        add_redacted(&out, str_c(rows[i].text));
        for (str rest = buf_str(&out); rest.n;) {
            bool hash = str_starts(rest, S("redacted-"));
            buf_add_char(&flat, hash ? '#' : rest.p[0]);
            rest = str_skip(rest, hash ? sizeof "redacted-" - 1 + 16 : 1);
        }
        if (!str_eq(buf_str(&flat), str_c(rows[i].want)))
            fail_msg("%s: " STR_FMT, rows[i].text, STR_ARG(buf_str(&flat)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options), cmocka_unit_test(limits), cmocka_unit_test(loops),
                                       cmocka_unit_test(told), cmocka_unit_test(redaction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
