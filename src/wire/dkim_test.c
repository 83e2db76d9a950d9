#include "base/test.h"
#include "wire/dkim.c"

#define BH "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define BASE "v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=" BH "; b=YQ=="

static struct arena mem;

static const struct {
    const char *in;
    err e;
} sigs[] = {
    {BASE, OK},
    {BASE ";", OK},
    {BASE "; c=simple", OK},
    {BASE "; c=relaxed", OK},
    {BASE "; c=relaxed/relaxed", OK},
    {BASE "; q=dns/txt", OK},
    {BASE "; q=dns/txt:ldap", OK},
    {BASE "; i=@example.com", OK},
    {BASE "; i=a=20b@sub.EXAMPLE.com", OK},
    {BASE "; l=0; t=1; x=2", OK},
    {BASE "; l=1234567890123456789012345678901234567890", OK},
    {BASE "; unknown=x; z=From:a|To:b", OK},
    {"b = YQ== ;\r\n\tbh=" BH " ; h = To : From :\r\n Subject; s=a.b; d=ex\xc3\xbc.com; a=ed25519-sha256; v=1", OK},
    {"a=rsa-sha256; d=example.com; s=sel; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=2; a=rsa-sha256; d=example.com; s=sel; h=From; bh=" BH "; b=YQ==", E_UNSUPPORTED},
    {"v=1; a=rsa-sha1; d=example.com; s=sel; h=From; bh=" BH "; b=YQ==", E_UNSUPPORTED},
    {"v=1; a=RSA-SHA256; d=example.com; s=sel; h=From; bh=" BH "; b=YQ==", E_UNSUPPORTED},
    {"v=1; d=example.com; s=sel; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; s=sel; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=; s=sel; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=a..b; s=sel; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=a b; h=From; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; h=To; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; h=From:; bh=" BH "; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=YQ==; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=; b=YQ==", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=" BH "; b=", E_SYNTAX},
    {"v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=" BH "; b=?", E_SYNTAX},
    {BASE "; c=", E_UNSUPPORTED},
    {BASE "; c=relaxed/other", E_UNSUPPORTED},
    {BASE "; c=relaxed/relaxed/relaxed", E_UNSUPPORTED},
    {BASE "; q=ldap", E_UNSUPPORTED},
    {BASE "; i=example.com", E_SYNTAX},
    {BASE "; i=@badexample.com", E_SYNTAX},
    {BASE "; i=@com", E_SYNTAX},
    {BASE "; i=@example.com.evil.test", E_SYNTAX},
    {BASE "; l=-1", E_SYNTAX},
    {BASE "; l=", E_SYNTAX},
    {BASE "; l=12345678901234567890123456789012345678901234567890123456789012345678901234567", E_SYNTAX},
    {BASE "; t=x", E_SYNTAX},
    {BASE "; x=1.0", E_SYNTAX},
    {BASE "; t=2; x=2", E_SYNTAX},
    {BASE "; t=3; x=2", E_SYNTAX},
    {BASE "; b=YQ==", E_SYNTAX},
};

static void signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sigs); i++) {
        struct dkim_sig s;
        arena_reset(&mem);
        err e = dkim_sig_parse(str_c(sigs[i].in), DKIM_SIGNATURE, &mem, &s);
        if (e != sigs[i].e)
            fail_msg("%s: %s", sigs[i].in, s.why.p ? s.why.p : "ok");
        assert_true(e == OK || s.why.n);
    }
}

static void what_it_says(void **state)
{
    (void)state;
    struct dkim_sig s;
    arena_reset(&mem);
    assert_int_equal(dkim_sig_parse(S("v=1; a=ed25519-sha256; c=relaxed; d=EXample.com; s=Se.L; t=5; x=9; l=7;"
                                      "i=joe=2Bx@a.example.com; h=From:To; bh=" BH "; b=YWJj"),
                                    DKIM_SIGNATURE, &mem, &s),
                     OK);
    assert_int_equal(s.alg, DKIM_ED25519_SHA256);
    assert_int_equal(s.head, CANON_RELAXED);
    assert_int_equal(s.body, CANON_SIMPLE);
    assert_str(s.key_name, "se.l._domainkey.example.com");
    assert_str(s.i, "joe+x@a.example.com");
    assert_str(s.signature, "abc");
    assert_memory_equal(s.body_hash, "01234567890123456789012345678901", 32);
    assert_true(s.has_l && s.l == 7 && s.has_t && s.t == 5 && s.has_x && s.x == 9);
    assert_int_equal(dkim_sig_parse(S("v=1; a=rsa-sha256; d=b\xc3\xbc"
                                      "cher.example; s=x; h=from; bh=" BH "; b=YQ=="),
                                    DKIM_SIGNATURE, &mem, &s),
                     OK);
    assert_str(s.key_name, "x._domainkey.xn--bcher-kva.example"); /* RFC 8616 */
}

#define AMS "a=rsa-sha256; d=example.com; s=sel; h=From; bh=" BH "; b=YQ=="
#define AS "a=rsa-sha256; d=example.com; s=sel; cv=none; b=YQ=="

static const struct {
    const char *in;
    enum dkim_kind kind;
    err e;
} arcs[] = {
    {"i=1; " AMS, ARC_MESSAGE_SIGNATURE, OK},
    {"i=50; " AMS, ARC_MESSAGE_SIGNATURE, OK},
    {AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=; " AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=0; " AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=51; " AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=001; " AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=-1; " AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=a; " AMS, ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=1; a=rsa-sha256; d=example.com; s=sel; h=From:arc-seal; bh=" BH "; b=YQ==", ARC_MESSAGE_SIGNATURE, E_SYNTAX},
    {"i=1; " AS, ARC_SEAL, OK},
    {"i=1; " AS "; t=12", ARC_SEAL, OK},
    {"i=1; " AS "; h=from", ARC_SEAL, E_SYNTAX},
    {"i=1; " AS "; t=x", ARC_SEAL, E_SYNTAX},
    {"i=1; a=rsa-sha256; d=example.com; s=sel; b=YQ==", ARC_SEAL, E_SYNTAX},
    {"i=1; a=rsa-sha256; d=example.com; s=sel; cv=; b=YQ==", ARC_SEAL, E_SYNTAX},
    {"i=1; a=rsa-sha256; d=example.com; s=sel; cv=maybe; b=YQ==", ARC_SEAL, E_SYNTAX},
};

static void arc_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(arcs); i++) {
        struct dkim_sig s;
        arena_reset(&mem);
        if (dkim_sig_parse(str_c(arcs[i].in), arcs[i].kind, &mem, &s) != arcs[i].e)
            fail_msg("%s", arcs[i].in);
    }
}

static void arc_results(void **state)
{
    static const struct {
        const char *in;
        unsigned n;
        const char *payload;
    } v[] = {
        {" i=1; a.test; spf=pass", 1, "a.test; spf=pass"},
        {" (x) i (y) = (z) 12 (a\\)) ;\r\n a.test; none", 12, "a.test; none"},
        {"i=50;", 50, ""},
        {"i=51; a", 0, ""},
        {"i=0; a", 0, ""},
        {"i=; a", 0, ""},
        {"i=1 a", 0, ""},
        {"a.test; i=1; spf=pass", 0, ""},
        {"i=1", 0, ""},
        {"", 0, ""},
        {"(((", 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        unsigned n = 0;
        str payload = S("");
        assert_int_equal(arc_results_parse(str_c(v[i].in), &n, &payload), v[i].n > 0);
        assert_int_equal(n, v[i].n);
        assert_str(payload, v[i].payload);
    }
}

static void keys(void **state)
{
    static const struct {
        const char *in;
        err e;
        enum dkim_alg alg;
        const char *flags; /* s: strict, y: testing, r: revoked */
    } v[] = {
        {"p=YQ==", OK, DKIM_RSA_SHA256, ""},
        {"v=DKIM1; k=rsa; p=YQ", OK, DKIM_RSA_SHA256, ""},
        {"v=DKIM1;k=ed25519;p=YQ==;", OK, DKIM_ED25519_SHA256, ""},
        {"v=DKIM1; p=", OK, DKIM_RSA_SHA256, "r"},
        {"p= Y Q = = ; t=y:s", OK, DKIM_RSA_SHA256, "ys"},
        {"t=s; p=YQ==", OK, DKIM_RSA_SHA256, "s"},
        {"t=x:y ; p=YQ==", OK, DKIM_RSA_SHA256, "y"},
        {"h=sha1:sha256; p=YQ==", OK, DKIM_RSA_SHA256, ""},
        {"s=email; p=YQ==", OK, DKIM_RSA_SHA256, ""},
        {"s=*:other; n=notes=20here; g=; p=YQ==", OK, DKIM_RSA_SHA256, ""},
        {"h=sha1; p=YQ==", E_UNSUPPORTED, 0, ""},
        {"s=tlsrpt; p=YQ==", E_UNSUPPORTED, 0, ""},
        {"k=dsa; p=YQ==", E_UNSUPPORTED, 0, ""},
        {"v=DKIM2; p=YQ==", E_UNSUPPORTED, 0, ""},
        {"v=dkim1; p=YQ==", E_UNSUPPORTED, 0, ""},
        {"p=YQ==; v=DKIM1", E_UNSUPPORTED, 0, ""},
        {"v=DKIM1; k=rsa", E_SYNTAX, 0, ""},
        {"v=DKIM1; p=YQ==; p=YQ==", E_SYNTAX, 0, ""},
        {"v=DKIM1; k=rsa; omgwhatsgoingon", E_SYNTAX, 0, ""},
        {"v=DKIM1; p=*", E_SYNTAX, 0, ""},
        {"v=spf1 -all", E_UNSUPPORTED, 0, ""},
        {"", E_SYNTAX, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        struct dkim_key k;
        arena_reset(&mem);
        if (dkim_key_parse(str_c(v[i].in), &mem, &k) != v[i].e)
            fail_msg("%s", v[i].in);
        if (v[i].e)
            continue;
        assert_int_equal(k.alg, v[i].alg);
        assert_int_equal(k.strict, strchr(v[i].flags, 's') != NULL);
        assert_int_equal(k.testing, strchr(v[i].flags, 'y') != NULL);
        assert_int_equal(k.p.n == 0, strchr(v[i].flags, 'r') != NULL);
    }
}

static char *repeated(const char *head, const char *piece, size_t n, const char *tail)
{
    size_t len = strlen(head) + n * strlen(piece) + strlen(tail) + 1;
    char *s = malloc(len), *at = s;
    at += snprintf(at, len, "%s", head);
    for (; n; n--)
        at += snprintf(at, len - (size_t)(at - s), "%s", piece);
    snprintf(at, len - (size_t)(at - s), "%s", tail);
    return s;
}

/* Names in h=, and octets of b=, at their limits and beyond. */
static void limits(void **state)
{
    (void)state;
    for (size_t n = DKIM_HEADERS_MAX - 1; n <= DKIM_HEADERS_MAX; n++) {
        struct dkim_sig s;
        char *text = repeated("v=1; a=rsa-sha256; d=a.b; s=c; bh=" BH "; b=YQ==; h=From", ":x", n, "");
        arena_reset(&mem);
        assert_int_equal(dkim_sig_parse(str_c(text), DKIM_SIGNATURE, &mem, &s), n < DKIM_HEADERS_MAX ? OK : E_LIMIT);
        free(text);
    }
    for (size_t n = DKIM_SIG_MAX / 3; n <= DKIM_SIG_MAX / 3 + 1; n++) {
        struct dkim_sig s;
        char *text = repeated("v=1; a=rsa-sha256; d=a.b; s=c; bh=" BH "; h=From; b=", "YWJj", n, "");
        arena_reset(&mem);
        assert_int_equal(dkim_sig_parse(str_c(text), DKIM_SIGNATURE, &mem, &s), n == DKIM_SIG_MAX / 3 ? OK : E_LIMIT);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signatures), cmocka_unit_test(what_it_says),
                                       cmocka_unit_test(arc_fields), cmocka_unit_test(arc_results),
                                       cmocka_unit_test(keys),       cmocka_unit_test(limits)};
    arena_init(&mem, 4096, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&mem);
    return failed;
}
