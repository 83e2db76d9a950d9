/* Reports of every kind, as lists, sums, words and JSON see them. */
#include "base/test.h"
#include "wire/findings.c"

struct opened {
    struct buf in, text;
    struct arena a;
    struct findings r;
};

static void open_one(struct opened *o, const char *path)
{
    struct enclosed got;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    buf_init(&o->in, 65536);
    buf_init(&o->text, 65536);
    arena_init(&o->a, 4096, 1 << 20);
    o->in.n = fread(buf_room(&o->in, 65536), 1, 65536, f);
    fclose(f);
    err e = enclosed_open(buf_str(&o->in), &o->text, &got);
    if (e == E_NOT_FOUND) {
        buf_clear(&o->text);
        e = enclosed_find(buf_str(&o->in), &o->text, &got);
    }
    assert_int_equal(e, OK);
    assert_int_equal(findings_read(&got, &o->a, &o->r), OK);
}

static void close_one(struct opened *o)
{
    buf_free(&o->in);
    buf_free(&o->text);
    arena_free(&o->a);
}

static bool says(const struct buf *out, const char *words)
{
    return str_search(buf_str(out), str_c(words)) != STR_NONE;
}

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *path, *kind, *domain, *organization;
        uint64_t total, failed;
        size_t rows;
        const char *source, *what; /* of the last row */
        const char *words[3];
    } rows[] = {
        {"tests/corpus/feedback/rfc9990-b.xml",
         "dmarc",
         "example.com",
         "Sample Reporter",
         123,
         0,
         1,
         "192.0.2.123",
         "example.com",
         {"example.com, policy quarantine, reported by Sample Reporter",
          "from 1979-08-07 00:00 to 1979-08-07 23:59 UTC", "123  pass  192.0.2.123"}},
        {"tests/corpus/tlsrpt/rfc8460-b.json",
         "tls",
         "company-y.example",
         "Company-X",
         5629,
         303,
         4,
         "mx-backup.mail.company-y.example",
         "validation-failure",
         {"5326 sessions went well, 303 failed", "mode: testing",
          "certificate-expired  at mx1.mail.company-y.example"}},
        {"tests/corpus/enclosed/rfc5965-b2.eml",
         "abuse",
         "example.net",
         "mail.example.com",
         1,
         1,
         1,
         "192.0.2.1",
         "abuse",
         {"abuse complaint about a message", "Earn money", "user@example.com"}},
        {"tests/corpus/enclosed/rfc6591-b1.eml",
         "failure",
         "a.sender.example",
         "Someisp!Mail-Feedback/1.0",
         1,
         1,
         1,
         "192.0.2.1",
         "bodyhash",
         {"auth-failure report about a message", "failure     bodyhash", "You have a new bill"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct opened o;
        struct finding w = {{0}}, last = {{0}};
        struct buf out;
        size_t n = 0;
        open_one(&o, rows[i].path);
        assert_string_equal(o.r.kind, rows[i].kind);
        assert_str(o.r.domain, rows[i].domain);
        assert_str(o.r.organization, rows[i].organization);
        assert_true(o.r.total == rows[i].total && o.r.failed == rows[i].failed && o.r.id.n);
        while (findings_row(&o.r, n, &w)) {
            last = w;
            n++;
        }
        assert_int_equal(n, rows[i].rows);
        assert_str(last.source, rows[i].source);
        assert_str(last.what, rows[i].what);
        buf_init(&out, 65536);
        findings_text(&out, &o.r);
        for (size_t k = 0; k < COUNT(rows[i].words); k++)
            assert_true(says(&out, rows[i].words[k]));
        buf_clear(&out);
        findings_json(&out, &o.r);
        assert_true(says(&out, "\"kind\":\"") && says(&out, rows[i].domain) && !out.e);
        buf_free(&out);
        close_one(&o);
    }
}

/* What a peer wrote neither moves the cursor of a terminal nor breaks JSON; times and sums without end stay sane. */
static void hostile(void **state)
{
    (void)state;
    struct arena a;
    struct findings r;
    struct buf out;
    struct enclosed got = {.kind = ENCLOSED_TLS};
    arena_init(&a, 4096, 1 << 20);
    buf_init(&out, 65536);
    got.text = S("{\"organization-name\":\"\\u001b[2J\\n\",\"date-range\":{\"end-datetime\":\"9999-12-31T23:59:59Z\"},"
                 "\"policies\":[{\"policy\":{\"policy-domain\":\"\\u001b]0;x\\u0007\"},\"summary\":"
                 "{\"total-failure-session-count\":18446744073709551615,\"total-successful-session-count\":5}}]}");
    assert_int_equal(findings_read(&got, &a, &r), OK);
    assert_true(r.total == UINT64_MAX);
    findings_text(&out, &r);
    findings_json(&out, &r);
    for (size_t i = 0; i < out.n; i++)
        assert_true(out.p[i] == '\n' || (out.p[i] >= ' ' && out.p[i] <= '~'));
    got = (struct enclosed){.kind = ENCLOSED_DMARC};
    got.text =
        S("<feedback><report_metadata><date_range><begin>9223372036854775807</begin><end>9223372036854775807</end>"
          "</date_range></report_metadata><policy_published><domain>x</domain></policy_published></feedback>");
    assert_int_equal(findings_read(&got, &a, &r), OK);
    findings_text(&out, &r);
    findings_json(&out, &r);
    assert_false(out.e);
    buf_free(&out);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
