/* DKIM and ARC on a zone in memory: the examples of RFC 6376 and RFC 8463, and signatures of our own in all conditions.
 */
#include "check/dkim.c"
#include "check/sign.h"
#include "check/test_zone.h"
#include "priv/sign_key.h"

#define RFC_KEY                                                                                                        \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq" \
    "631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
#define FOOTBALL_KEY                                                                                                   \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91" \
    "y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"

#define EXAMPLE_REST                                                                                                   \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                                                 \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                                     \
    "Subject: Is dinner ready?\r\n"                                                                                    \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                                                  \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHi.\r\n\r\n"                                  \
    "We lost the game. "

/* RFC 6376 A.2 */
static const char rfc6376[] =
    "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"
    "      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
    "      h=Received : From : To : Subject : Date : Message-ID;\r\n"
    "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    "      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n"
    "      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"
    "      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n"
    "      4bmp/YzhwvcubU4=;\r\n"
    "Received: from client1.football.example.com  [192.0.2.1]\r\n"
    "      by submitserver.example.com with SUBMISSION;\r\n"
    "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n" EXAMPLE_REST "Are you hungry yet?\r\n\r\nJoe.\r\n";
/* RFC 8463 A.3 */
static const char rfc8463[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                              " subject : date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                              " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                              "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                              " date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                              " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                              " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n" EXAMPLE_REST
                              " Are you hungry yet?\r\n\r\nJoe.\r\n\r\n";

static char own_record[1200], own_p[1200], tiny_record[300];
static struct zone_record records[] = {
    {"brisbane._domainkey.example.com", DNS_TXT, "v=DKIM1; p=" RFC_KEY},
    {"test._domainkey.football.example.com", DNS_TXT, "v=DKIM1; k=rsa; p=" FOOTBALL_KEY},
    {"brisbane._domainkey.football.example.com", DNS_TXT,
     "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
    {"own._domainkey.a.test", DNS_TXT, own_record},
    {"own._domainkey.sub.a.test", DNS_TXT, own_record},
    {"two._domainkey.a.test", DNS_TXT, "v=spf1 -all"},
    {"two._domainkey.a.test", DNS_TXT, own_record},
    {"revoked._domainkey.a.test", DNS_TXT, "v=DKIM1; p="},
    {"broken._domainkey.a.test", DNS_TXT, "v=DKIM1; k=rsa; p=YWJj"},
    {"other._domainkey.a.test", DNS_TXT, "v=DKIM1; k=rsa; p=" RFC_KEY},
    {"ed._domainkey.a.test", DNS_TXT, "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
    {"tiny._domainkey.a.test", DNS_TXT, tiny_record},
    {"temp._domainkey.a.test", DNS_TXT, "!TEMP"},
    {"nodata._domainkey.a.test", DNS_A, "192.0.2.1"},
    {"strict._domainkey.a.test", DNS_TXT, own_p},
};
static struct zone zone = {.v = records, .n = COUNT(records)};
static struct check_source source = {zone_ask, &zone};
static struct sign_key *key;
static struct arena mem;
static struct check check;

static void verify(const char *text, size_t n, size_t piece, struct check_results *r)
{
    struct check_mail *m = NULL;
    str all = str_mem(text, n);
    size_t head = head_len(all, NULL);
    arena_reset(&mem);
    *r = (struct check_results){0};
    check = (struct check){.mem = &mem, .source = &source, .deadline = RT_NEVER, .now_s = 1700000000};
    assert_int_equal(check_mail_begin(&check, str_sub(all, 0, head), true, &m), OK);
    for (str rest = str_skip(all, head); rest.n; rest = str_skip(rest, piece))
        check_mail_body(m, str_sub(rest, 0, piece));
    check_mail_end(m, r);
    check_mail_free(&m);
}

static void examples(void **state)
{
    struct check_results r;
    (void)state;
    for (size_t piece = 1; piece < 200; piece += 7) {
        verify(rfc6376, sizeof rfc6376 - 1, piece, &r);
        assert_int_equal(r.ndkim, 1);
        assert_int_equal(r.dkim[0].result, CHECK_PASS);
        verify(rfc8463, sizeof rfc8463 - 1, piece, &r);
        assert_int_equal(r.ndkim, 2);
        assert_int_equal(r.dkim[0].result, CHECK_PASS);
        assert_int_equal(r.dkim[1].result, CHECK_PASS);
        assert_int_equal(r.dkim[1].key_bits, 1024);
    }
}

/* Every octet that is signed counts: none can change. */
static void every_octet(void **state)
{
    static char text[sizeof rfc6376];
    struct check_results r;
    size_t from = (size_t)(strstr(rfc6376, "Received:") - rfc6376);
    (void)state;
    for (size_t i = from; i < sizeof rfc6376 - 1; i++) {
        memcpy(text, rfc6376, sizeof text);
        text[i] ^= 1;
        verify(text, sizeof text - 1, 4096, &r);
        for (size_t k = 0; k < r.ndkim; k++)
            assert_int_not_equal(r.dkim[k].result, CHECK_PASS);
    }
}

/* ---- signatures of our own ---- */

static err sign(void *arg, const unsigned char hash[DKIM_HASH_SIZE], struct buf *out)
{
    (void)arg;
    return sign_key_sign(key, hash, out);
}

static const char message[] = "Received: by x.test\r\nFrom: a@a.test\r\nTo: b@b.test\r\nSubject:  a \t b\r\n\tc\r\n"
                              "X-Note: 1\r\nX-Note: 2\r\n\r\nline  one \r\n\r\nend\r\n\r\n";
static char signed_text[131072];

/* The message with a signature, whose tags may be changed before it is made. */
static size_t make(const struct sign_order *o, str text)
{
    struct check_body *b = NULL;
    struct buf out;
    size_t head = head_len(text, NULL);
    buf_init_fixed(&out, signed_text, sizeof signed_text);
    assert_int_equal(check_body_new(&b, true, true), OK);
    check_body_feed(b, str_skip(text, head));
    assert_int_equal(check_sign(o, str_sub(text, 0, head), check_body_hash(b, o->body), &out), OK);
    check_body_free(&b);
    buf_add(&out, text);
    assert_int_equal(out.e, OK);
    return out.n;
}

static struct sign_order order(void)
{
    return (struct sign_order){.domain = S("a.test"), .selector = S("own"), .sign = sign, .t = 1600000000};
}

static enum check_result once(const struct sign_order *o, str text)
{
    struct check_results r;
    size_t n = make(o, text);
    verify(signed_text, n, 4096, &r);
    assert_int_equal(r.ndkim, 1);
    return r.dkim[0].result;
}

static void forms(void **state)
{
    static const str texts[] = {
        S_INIT("From: a@a.test\r\n\r\n"),
        S_INIT("From: a@a.test\r\n"),
        S_INIT("From: a@a.test"),
        S_INIT("From: a@a.test\r\n\r\n\r\n\r\n"),
        S_INIT("From:a@a.test\r\nX:\r\n\r\nno end"),
        S_INIT("From:\r\n\ta@a.test \r\nSubject:\t \r\n folded\r\n\r\n \r\n\t\r\nx \r\n"),
        S_INIT("From: a@a.test\r\nSubject: \xc3\xbc \xff\r\n\r\n\xff\xfe\r\n"),
    };
    (void)state;
    for (int form = 0; form < 4; form++) {
        struct sign_order o = order();
        o.head = (enum canon)(form & 1);
        o.body = (enum canon)(form >> 1);
        assert_int_equal(once(&o, str_mem(message, sizeof message - 1)), CHECK_PASS);
        for (size_t i = 0; i < COUNT(texts); i++)
            assert_int_equal(once(&o, texts[i]), CHECK_PASS);
    }
}

/* What a key record, a time or the message itself says about a signature that is good. */
static void conditions(void **state)
{
    static const struct {
        const char *selector, *domain;
        int64_t t, x;
        enum check_result want;
    } v[] = {
        {"own", "a.test", 1600000000, 0, CHECK_PASS},
        {"two", "a.test", 1600000000, 0, CHECK_PASS},
        {"own", "sub.a.test", 1600000000, 0, CHECK_PASS},
        {"strict", "a.test", 1600000000, 0, CHECK_PASS},
        {"own", "a.test", 1600000000, 1700000000, CHECK_PASS},
        {"own", "a.test", 1600000000, 1699999999, CHECK_FAIL},
        {"own", "a.test", 1700000300, 0, CHECK_PASS},
        {"own", "a.test", 1700000301, 0, CHECK_FAIL},
        {"own", "a.test", 1600000000, 1600000000, CHECK_PERMERROR},
        {"none", "a.test", 1600000000, 0, CHECK_PERMERROR},
        {"nodata", "a.test", 1600000000, 0, CHECK_PERMERROR},
        {"revoked", "a.test", 1600000000, 0, CHECK_PERMERROR},
        {"broken", "a.test", 1600000000, 0, CHECK_PERMERROR},
        {"ed", "a.test", 1600000000, 0, CHECK_PERMERROR},
        {"temp", "a.test", 1600000000, 0, CHECK_TEMPERROR},
        {"other", "a.test", 1600000000, 0, CHECK_FAIL},
        {"tiny", "a.test", 1600000000, 0, CHECK_POLICY},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        struct sign_order o = order();
        o.selector = str_c(v[i].selector);
        o.domain = str_c(v[i].domain);
        o.t = v[i].t;
        o.x = v[i].x;
        enum check_result got = once(&o, str_mem(message, sizeof message - 1));
        if (got != v[i].want)
            fail_msg("row %zu: %s", i, check_result_name(got));
    }
}

static enum check_result changed(const char *before, const char *insert, const char *append)
{
    static char text[sizeof signed_text];
    struct sign_order o = order();
    struct check_results r;
    size_t n = make(&o, str_mem(message, sizeof message - 1));
    char *at = before ? memmem(signed_text, n, before, strlen(before)) : signed_text;
    size_t head = (size_t)(at - signed_text);
    int m = snprintf(text, sizeof text, "%.*s%s%.*s%s", (int)head, signed_text, insert, (int)(n - head), at, append);
    verify(text, (size_t)m, 4096, &r);
    return r.ndkim ? r.dkim[r.ndkim - 1].result : CHECK_NONE;
}

/* From and other oversigned fields cannot be added; what is not signed may be. */
static void added(void **state)
{
    (void)state;
    assert_int_equal(changed(NULL, "", ""), CHECK_PASS);
    assert_int_equal(changed(NULL, "X-New: 1\r\n", ""), CHECK_PASS);
    assert_int_equal(changed(NULL, "Received: y\r\n", ""), CHECK_PASS);
    assert_int_equal(changed(NULL, "From: evil@x.test\r\n", ""), CHECK_FAIL);
    assert_int_equal(changed(NULL, "Subject: x\r\n", ""), CHECK_FAIL);
    assert_int_equal(changed(NULL, "Reply-To: x@x.test\r\n", ""), CHECK_FAIL);
    assert_int_equal(changed(NULL, "List-Unsubscribe: <x>\r\n", ""), CHECK_FAIL);
    assert_int_equal(changed("From: a@", "to: x\r\n", ""), CHECK_FAIL);
    assert_int_equal(changed(NULL, "", "more\r\n"), CHECK_FAIL);
    assert_int_equal(changed(NULL, "", "\r\n\r\n"), CHECK_PASS);
}

/* From signed once: a second one, that readers may see, is not believed (RFC 6376 8.15). */
static void second_from(void **state)
{
    static const char two[] = "From: evil@x.test\r\nFrom: a@a.test\r\n\r\nx\r\n";
    struct sign_order o = order();
    (void)state;
    o.headers = S("From");
    assert_int_equal(once(&o, S("From: a@a.test\r\n\r\nx\r\n")), CHECK_PASS);
    assert_int_equal(once(&o, str_mem(two, sizeof two - 1)), CHECK_POLICY);
    o.headers = S("From:From");
    assert_int_equal(once(&o, str_mem(two, sizeof two - 1)), CHECK_PASS);
    assert_int_equal(once(&o, S("To: a@a.test\r\n\r\nx\r\n")), CHECK_PERMERROR);
}

/* h= may name DKIM-Signature: that of others, never the one that says so (RFC 6376 3.5). */
static void over_signatures(void **state)
{
    static char inner[8192];
    struct sign_order o = order();
    struct check_results r;
    (void)state;
    for (int over = 0; over < 2; over++) {
        o.headers = S("");
        size_t n = make(&o, str_mem(message, sizeof message - 1));
        memcpy(inner, signed_text, n);
        o.headers = over ? S("From:From:DKIM-Signature:DKIM-Signature") : S("From:DKIM-Signature");
        n = make(&o, str_mem(inner, n));
        verify(signed_text, n, 4096, &r);
        assert_int_equal(r.ndkim, 2);
        assert_int_equal(r.dkim[0].result, CHECK_PASS);
        assert_int_equal(r.dkim[1].result, CHECK_PASS);
    }
}

/* As many signatures as are looked at, and one more. */
static void many(void **state)
{
    static char text[262144];
    (void)state;
    for (unsigned n = CHECK_SIGNATURES_MAX; n <= CHECK_SIGNATURES_MAX + 1; n++) {
        struct check_results r;
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        for (unsigned i = 0; i < n; i++)
            buf_add(&b, S("DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=none; h=from; b=YQ==;\r\n"
                          " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"));
        buf_add(&b, S("From: a@a.test\r\n\r\n"));
        zone.asked = 0;
        verify(text, b.n, 4096, &r);
        assert_int_equal(r.ndkim, CHECK_SIGNATURES_MAX);
        assert_int_equal(r.dkim_more, n > CHECK_SIGNATURES_MAX);
        assert_true(zone.asked <= 1);
    }
}

/* As many fields as are looked at, and one more. */
static void many_fields(void **state)
{
    static char text[CHECK_FIELDS_MAX * 8];
    (void)state;
    for (unsigned n = CHECK_FIELDS_MAX; n <= CHECK_FIELDS_MAX + 1; n++) {
        struct check_results r;
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        buf_add(&b, S("DKIM-Signature: v=1; a=rsa-sha256\r\n"));
        for (unsigned i = 1; i < n; i++)
            buf_add(&b, S("X: y\r\n"));
        verify(text, b.n, 4096, &r);
        assert_int_equal(r.ndkim, n == CHECK_FIELDS_MAX);
        assert_int_equal(r.arc.result, n == CHECK_FIELDS_MAX ? CHECK_NONE : CHECK_FAIL);
    }
}

/* ---- ARC ---- */

static size_t sealed(str text, enum arc_cv cv, bool *ret)
{
    struct sign_order o = order();
    struct check_mail *m = NULL;
    struct check_results r = {0};
    static char copy[sizeof signed_text];
    struct buf out;
    memcpy(copy, text.p, text.n);
    text.p = copy;
    size_t head = head_len(text, NULL);
    o.head = o.body = CANON_RELAXED;
    o.headers = S("from:to:subject");
    arena_reset(&mem);
    check = (struct check){.mem = &mem, .source = &source, .deadline = RT_NEVER, .now_s = 1700000000};
    buf_init_fixed(&out, signed_text, sizeof signed_text);
    assert_int_equal(check_mail_begin(&check, str_sub(text, 0, head), true, &m), OK);
    assert_int_equal(check_mail_want(m, true), OK);
    check_mail_body(m, str_skip(text, head));
    check_mail_end(m, &r);
    assert_int_equal(check_seal(&o, m, str_sub(text, 0, head), S("mx.test; spf=pass"), cv, &out, ret), OK);
    check_mail_free(&m);
    buf_add(&out, text);
    assert_int_equal(out.e, OK);
    return out.n;
}

/* Sets up to the last one that there may be, each good; then none. */
static void chain(void **state)
{
    struct check_results r;
    size_t n = sizeof message - 1;
    bool grew;
    (void)state;
    memcpy(signed_text, message, n);
    for (unsigned i = 1; i <= DKIM_INSTANCE_MAX + 1; i++) {
        n = sealed(str_mem(signed_text, n), i == 1 ? ARC_CV_NONE : ARC_CV_PASS, &grew);
        assert_int_equal(grew, i <= DKIM_INSTANCE_MAX);
        verify(signed_text, n, 4096, &r);
        if (r.arc.result != CHECK_PASS)
            fail_msg("i=%u: " STR_FMT, i, STR_ARG(r.arc.why));
        assert_int_equal(r.arc.instances, i <= DKIM_INSTANCE_MAX ? i : DKIM_INSTANCE_MAX);
        assert_str(r.arc.results, "mx.test; spf=pass");
    }
}

/* A body that was changed: the chain fails, is sealed as failed once, and grows no more. */
static void chain_fails(void **state)
{
    struct check_results r;
    bool grew;
    (void)state;
    size_t n = sealed(str_mem(message, sizeof message - 1), ARC_CV_NONE, &grew);
    n += (size_t)snprintf(signed_text + n, 100, "more\r\n");
    verify(signed_text, n, 4096, &r);
    assert_int_equal(r.arc.result, CHECK_FAIL);
    n = sealed(str_mem(signed_text, n), ARC_CV_FAIL, &grew);
    assert_true(grew);
    assert_true(memmem(signed_text, n, "cv=fail", 7) != NULL);
    verify(signed_text, n, 4096, &r);
    assert_int_equal(r.arc.result, CHECK_FAIL);
    size_t again = sealed(str_mem(signed_text, n), ARC_CV_FAIL, &grew);
    assert_false(grew);
    assert_int_equal(again, n);
}

static int setup(void **state)
{
    struct buf pem, record;
    (void)state;
    arena_init(&mem, 65536, 64 << 20);
    buf_init(&pem, 16384);
    assert_int_equal(sign_key_make(2048, &pem), OK);
    assert_int_equal(sign_key_read(buf_str(&pem), &key), OK);
    buf_free(&pem);
    buf_init_fixed(&record, own_record, sizeof own_record - 1);
    assert_int_equal(sign_key_record(key, &record), OK);
    snprintf(own_p, sizeof own_p, "t=s; %s", strstr(own_record, "p="));
    /* 768 bits, made once for this place */
    snprintf(
        tiny_record, sizeof tiny_record, "%s",
        "v=DKIM1; k=rsa; p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhALQeLWF0TQw0PRFYAnsmCkLWzbXLrRZXIvM7c0jHzeRdWzJH6VXviDVdGR"
        "uNq0M7CoNLHZKjCN4VeQtcvcai5Uq4kfwvD414yW9omy6RVxUJLoKApXX+z98j39pUoG85HQIDAQAB");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sign_key_free(&key);
    arena_free(&mem);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),        cmocka_unit_test(every_octet), cmocka_unit_test(forms),
        cmocka_unit_test(conditions),      cmocka_unit_test(added),       cmocka_unit_test(second_from),
        cmocka_unit_test(over_signatures), cmocka_unit_test(many),        cmocka_unit_test(many_fields),
        cmocka_unit_test(chain),           cmocka_unit_test(chain_fails),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
