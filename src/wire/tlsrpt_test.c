/* TLS reports: records, what we write can be read, RFC 8460's own example, and reports that are too much. */
#include "base/test.h"
#include "wire/tlsrpt.c"

static void records(void **state)
{
    (void)state;
    static const struct {
        const char *txt, *rua; /* NULL: none */
    } rows[] = {
        {"v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com"},
        {"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "https://reporting.example.com/v1/tlsrpt"},
        {"v=TLSRPTv1 ; rua = mailto:a@b.test , https://c.test/ ; ext=1;", "mailto:a@b.test , https://c.test/"},
        {"v=TLSRPTv1; other=x; rua=mailto:a@b.test", "mailto:a@b.test"},
        {"v=TLSRPTv1; rua=mailto:a@b.test; rua=mailto:c@d.test", "mailto:a@b.test"},
        {"v=TLSRPTv1;", NULL},
        {"v=TLSRPTv1", NULL},
        {"v=TLSRPTv1; rua=", NULL},
        {"v=TLSRPTv1; rua", NULL},
        {"v=TLSRPTv2; rua=mailto:a@b.test", NULL},
        {"v=tlsrptv1; rua=mailto:a@b.test", NULL},
        {"rua=mailto:a@b.test; v=TLSRPTv1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        str rua;
        assert_int_equal(tlsrpt_record(str_c(rows[i].txt), &rua), rows[i].rua != NULL);
        if (rows[i].rua)
            assert_str(rua, rows[i].rua);
    }
    str list = S("mailto:a@b.test , ftp://x.test/,HTTPS://c.test/x,http://plain.test/,"), uri;
    assert_true(tlsrpt_uri_next(&list, &uri));
    assert_str(uri, "mailto:a@b.test");
    assert_true(tlsrpt_uri_next(&list, &uri));
    assert_str(uri, "HTTPS://c.test/x");
    assert_false(tlsrpt_uri_next(&list, &uri));
}

static void read_corpus(struct buf *out, const char *path)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    buf_init(out, 65536);
    out->n = fread(buf_room(out, 65536), 1, 65536, f);
    fclose(f);
}

/* RFC 8460 B; its mx-host is a string, against its own grammar. */
static void of_the_rfc(void **state)
{
    (void)state;
    struct arena a;
    struct buf in, out;
    struct tlsrpt r, again;
    read_corpus(&in, "tests/corpus/tlsrpt/rfc8460-b.json");
    arena_init(&a, 4096, 1 << 20);
    assert_int_equal(tlsrpt_read(buf_str(&in), &a, &r), OK);
    assert_str(r.organization, "Company-X");
    assert_str(r.contact, "sts-reporting@company-x.example");
    assert_str(r.id, "5065427c-23d3-47ca-b6e0-946ea0e8c4be");
    assert_true(r.begin_s == 1459468800 && r.end_s == 1459555199 && r.npolicies == 1);
    struct tlsrpt_policy *p = r.policies;
    assert_true(p->good == 5326 && p->bad == 303 && p->nfailures == 3 && p->nlines == 4 && p->nhosts == 1);
    assert_str(p->type, "sts");
    assert_str(p->lines[2], "mx: *.mail.company-y.example");
    assert_str(p->hosts[0], "*.mail.company-y.example");
    assert_str(p->failures[2].reason, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
    assert_true(p->failures[1].count == 200);
    /* written and read again it says the same */
    buf_init(&out, 65536);
    assert_int_equal(tlsrpt_print(&out, &r), OK);
    assert_true(str_search(buf_str(&out), S("\"start-datetime\":\"2016-04-01T00:00:00Z\"")) != STR_NONE);
    assert_true(str_search(buf_str(&out), S("\"mx-host\":[\"*.mail.company-y.example\"]")) != STR_NONE);
    assert_int_equal(tlsrpt_read(buf_str(&out), &a, &again), OK);
    assert_true(again.begin_s == r.begin_s && again.end_s == r.end_s && again.policies[0].nfailures == 3);
    assert_true(str_eq(again.policies[0].failures[1].info, p->failures[1].info));
    for (size_t n = 0; n < out.n - 2; n += 3) /* any cut */
        assert_int_not_equal(tlsrpt_read(str_sub(buf_str(&out), 0, n), &a, &again), OK);
    for (size_t max = 0; max < 6000; max += 97) { /* little memory */
        struct arena little;
        arena_init(&little, 64, max);
        err e = tlsrpt_read(buf_str(&out), &little, &again);
        assert_true(e == OK || e == E_LIMIT || e == E_NOMEM);
        arena_free(&little);
    }
    buf_free(&in);
    buf_free(&out);
    arena_free(&a);
}

/* n policies with k details each. */
static err made(int n, int k, struct tlsrpt *ret, struct arena *a)
{
    struct buf b;
    buf_init(&b, 32 << 20);
    buf_add_c(&b, "{\"policies\":[");
    for (int i = 0; i < n; i++) {
        buf_add_c(&b, i ? ",{\"failure-details\":[" : "{\"failure-details\":[");
        for (int j = 0; j < k; j++)
            buf_add_c(&b, j ? ",{}" : "{}");
        buf_add_c(&b, "]}");
    }
    buf_add_c(&b, "]}");
    err e = tlsrpt_read(buf_str(&b), a, ret);
    buf_free(&b);
    return e;
}

static void limits(void **state)
{
    (void)state;
    struct arena a;
    struct tlsrpt r;
    arena_init(&a, 65536, 64 << 20);
    assert_int_equal(made(TLSRPT_POLICIES_MAX, 1, &r, &a), OK);
    assert_int_equal(r.npolicies, TLSRPT_POLICIES_MAX);
    assert_int_equal(made(TLSRPT_POLICIES_MAX + 1, 1, &r, &a), E_LIMIT);
    assert_int_equal(made(2, TLSRPT_FAILURES_MAX / 2, &r, &a), OK);
    assert_int_equal(made(1, TLSRPT_FAILURES_MAX + 1, &r, &a), E_LIMIT);
    assert_int_equal(made(0, 0, &r, &a), E_SYNTAX); /* says nothing */
    assert_int_equal(tlsrpt_read(S("[]"), &a, &r), E_SYNTAX);
    assert_int_equal(tlsrpt_read(S(""), &a, &r), E_SYNTAX);
    assert_int_equal(tlsrpt_read(S("{\"policies\":[{\"policy\":{\"policy-string\":[1,{},\"x\"]}}]}"), &a, &r), OK);
    assert_int_equal(r.policies[0].nlines, 1);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(of_the_rfc),
                                       cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
