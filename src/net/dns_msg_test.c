/* DNS messages, good and bad; names that are asked; the hosts file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/test_dns.h"

#include "base/codec.h"

static struct msg m;

/* The answer as "ttl canonical: data data": names and texts as they are, other data in hex. */
static const char *read_as_text(str packet, unsigned type)
{
    static char text[4096];
    static struct buf out;
    struct arena a;
    struct dns_answer ans;
    arena_init(&a, 256, DNS_ANSWER_MAX);
    buf_init_fixed(&out, text, sizeof text - 1);
    err e = dns_msg_read(packet, type, &a, &ans);
    if (e != OK && e != E_DNS_NODATA && e != E_DNS_NONE) {
        buf_add_c(&out, err_name(e));
    } else {
        if (e)
            buf_printf(&out, "%s ", err_name(e));
        buf_printf(&out, "%u " STR_FMT ":", ans.ttl, STR_ARG(ans.canonical));
        for (size_t i = 0; e == OK && i < ans.n; i++) {
            buf_add_char(&out, ' ');
            if (type == DNS_MX)
                buf_printf(&out, "%u=", ans.v[i].preference);
            if (type == DNS_A || type == DNS_AAAA || type == DNS_TLSA)
                hex_encode(&out, ans.v[i].data);
            else
                buf_add(&out, ans.v[i].data);
        }
    }
    text[out.n] = 0;
    arena_free(&a);
    return text;
}
static const char *text_of(unsigned type) { return read_as_text(buf_str(&m.b), type); }

static void test_records(void **state)
{
    (void)state;
    msg_begin(&m, 1, 0, "Example.Test", DNS_MX);
    rr_mx(&m, "@12", 300, 10, "MX1.@12");
    rr_mx(&m, "example.test", 200, 65535, "mx2.example.test");
    assert_string_equal(text_of(DNS_MX), "200 example.test: 10=mx1.example.test 65535=mx2.example.test");
    assert_string_equal(text_of(DNS_A), "DNS_NODATA 0 example.test:");

    msg_begin(&m, 1, 0, "null.test", DNS_MX);
    rr_mx(&m, "@12", 60, 0, "");
    assert_string_equal(text_of(DNS_MX), "60 null.test: 0=");

    msg_begin(&m, 1, 0, "a.test", DNS_A);
    rr_bytes(&m, "@12", DNS_A, 1, S("\x7f\0\0\1"));
    rr_bytes(&m, "@12", DNS_A, 0xffffffffu, S("\x7f\0\0\2"));
    rr_bytes(&m, "other.test", DNS_A, 1, S("\x7f\0\0\3"));
    assert_string_equal(text_of(DNS_A), "0 a.test: 7f000001 7f000002");

    msg_begin(&m, 1, 0, "t.test", DNS_TXT);
    rr_bytes(&m, "@12", DNS_TXT, 5, S("\7v=spf1 \4-all"));
    rr_bytes(&m, "@12", DNS_TXT, 5, S("\0\0"));
    assert_string_equal(text_of(DNS_TXT), "5 t.test: v=spf1 -all ");

    msg_begin(&m, 1, 0, "_25._tcp.mx.test", DNS_TLSA);
    rr_bytes(&m, "@12", DNS_TLSA, 5, S("\3\1\1\xab\xcd"));
    assert_string_equal(text_of(DNS_TLSA), "5 _25._tcp.mx.test: 030101abcd");
}

static void test_srv(void **state)
{
    (void)state;
    struct arena a;
    struct dns_answer ans;
    arena_init(&a, 256, DNS_ANSWER_MAX);
    msg_begin(&m, 1, 0, "_submission._tcp.a.test", DNS_SRV);
    rr_bytes(&m, "@12", DNS_SRV, 5, S("\0\1\0\2\2\x4b\2Mx\1a\4test\0"));
    rr_bytes(&m, "@12", DNS_SRV, 5, S("\0\0\0\0\0\0\0")); /* the root: there is no such service */
    rr_bytes(&m, "@12", DNS_SRV, 5, S("\0\1\0\2\2\x4b")); /* cut off */
    assert_int_equal(dns_msg_read(buf_str(&m.b), DNS_SRV, &a, &ans), OK);
    assert_int_equal(ans.n, 2);
    assert_true(ans.v[0].preference == 1 && ans.v[0].port == 587 && str_eq(ans.v[0].data, S("mx.a.test")));
    assert_true(ans.v[1].port == 0 && ans.v[1].data.n == 0);
    arena_free(&a);
}

static void test_cnames(void **state)
{
    (void)state;
    msg_begin(&m, 1, 0, "a.test", DNS_A);
    rr_bytes(&m, "c.test", DNS_A, 100, S("\1\2\3\4"));
    rr_name(&m, "b.test", DNS_CNAME, 50, "C.test");
    rr_name(&m, "a.test", DNS_CNAME, 70, "b.test");
    assert_string_equal(text_of(DNS_A), "50 c.test: 01020304");
    assert_string_equal(text_of(DNS_CNAME), "70 a.test: b.test");
    assert_string_equal(text_of(DNS_MX), "DNS_NODATA 0 c.test:");

    msg_begin(&m, 1, 0, "a.test", DNS_A);
    rr_name(&m, "a.test", DNS_CNAME, 50, "b.test");
    rr_name(&m, "b.test", DNS_CNAME, 50, "a.test");
    assert_string_equal(text_of(DNS_A), "DNS_TEMP");

    msg_begin(&m, 1, 3, "a.test", DNS_A);
    rr_name(&m, "a.test", DNS_CNAME, 50, "gone.test");
    rr_soa(&m, "test", 30, 500);
    assert_string_equal(text_of(DNS_A), "DNS_NONE 30 gone.test:");
}

static void test_negative(void **state)
{
    (void)state;
    static const struct {
        unsigned code;
        uint32_t ttl, least;
        const char *want;
    } cases[] = {
        {3, 100, 60, "DNS_NONE 60 x.test:"},
        {0, 100, 60, "DNS_NODATA 60 x.test:"},
        {3, 10, 60, "DNS_NONE 10 x.test:"},
        {3, 100000, 100000, "DNS_NONE 900 x.test:"},
        {2, 100, 60, "DNS_TEMP"},
        {5, 100, 60, "DNS_TEMP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        msg_begin(&m, 1, cases[i].code, "x.test", DNS_A);
        rr_soa(&m, "test", cases[i].ttl, cases[i].least);
        assert_string_equal(text_of(DNS_A), cases[i].want);
    }
}

static void test_bad_data(void **state)
{
    (void)state;
    static const struct {
        unsigned type;
        str data;
    } cases[] = {
        {DNS_A, S_INIT("\1\2\3")},
        {DNS_A, S_INIT("\1\2\3\4\5")},
        {DNS_AAAA, S_INIT("\1\2\3\4")},
        {DNS_TLSA, S_INIT("\3\1\1")},
        {DNS_TXT, S_INIT("\5abc")},
        {DNS_MX, S_INIT("\0\1")},
        {DNS_MX, S_INIT("\0\1\3abc")},
        {DNS_MX, S_INIT("\0\1\1a\0x")},
        {DNS_MX, S_INIT("\0\1\3a.b\0")},
        {DNS_MX, S_INIT("\0\1\3a b\0")},
        {DNS_MX, S_INIT("\0\1\3a\\b\0")},
        {DNS_MX, S_INIT("\0\1\3a\0b\0")},
        {DNS_MX, S_INIT("\0\1\2\xc3\xa4\0")},
        {DNS_PTR, S_INIT("\x40"
                         "abc\0")},
        {DNS_PTR, S_INIT("\xc0\xff")},
        {DNS_PTR, S_INIT("\xc0")},
        {DNS_PTR, S_INIT("")},
        {DNS_PTR, S_INIT("\xc0\x24")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        msg_begin(&m, 1, 0, "x.test", cases[i].type);
        rr_bytes(&m, "@12", cases[i].type, 5, cases[i].data);
        assert_string_equal(text_of(cases[i].type), "DNS_TEMP");
        /* A good one beside it is taken alone. */
        if (cases[i].type == DNS_PTR) {
            rr_name(&m, "@12", DNS_PTR, 5, "good.test");
            assert_string_equal(text_of(DNS_PTR), "5 x.test: good.test");
        }
    }
}

/* Every prefix of a message and every octet changed: an answer or an error, never more. */
static void test_broken(void **state)
{
    (void)state;
    static char copy[65536];
    msg_begin(&m, 1, 0, "a.test", DNS_MX);
    rr_name(&m, "@12", DNS_CNAME, 5, "b.@14");
    rr_mx(&m, "b.test", 5, 1, "mx.@14");
    rr_soa(&m, "@14", 5, 5);
    for (size_t n = 0; n <= m.b.n; n++) {
        char *exact = malloc(n ? n : 1);
        memcpy(exact, m.mem, n);
        (void)read_as_text(str_mem(exact, n), DNS_MX);
        free(exact);
    }
    for (size_t i = 0; i < m.b.n; i++)
        for (int v = 0; v < 256; v += 5) {
            memcpy(copy, m.mem, m.b.n);
            copy[i] = (char)v;
            (void)read_as_text(str_mem(copy, m.b.n), DNS_MX);
        }
    assert_string_equal(text_of(DNS_MX), "5 b.test: 1=mx.test");
}

static void test_many(void **state)
{
    (void)state;
    struct arena a;
    struct dns_answer ans;
    msg_begin(&m, 1, 0, "many.test", DNS_A);
    for (int i = 0; i < 150; i++)
        rr_bytes(&m, "@12", DNS_A, 5, S("\1\2\3\4"));
    arena_init(&a, 256, DNS_ANSWER_MAX);
    assert_int_equal(dns_msg_read(buf_str(&m.b), DNS_A, &a, &ans), OK);
    assert_int_equal(ans.n, 100);
    arena_free(&a);
    msg_begin(&m, 1, 0, "many.test", DNS_TXT);
    for (int i = 0; i < DNS_TEXTS_MAX + 1; i++)
        rr_bytes(&m, "@12", DNS_TXT, 5, S("\1x"));
    arena_init(&a, 256, DNS_ANSWER_MAX);
    assert_int_equal(dns_msg_read(buf_str(&m.b), DNS_TXT, &a, &ans), OK);
    assert_int_equal(ans.n, DNS_TEXTS_MAX);
    arena_free(&a);
    msg_begin(&m, 1, 0, "many.test", DNS_A);
    for (int i = 0; i < 150; i++)
        rr_bytes(&m, "@12", DNS_A, 5, S("\1\2\3\4"));
    arena_init(&a, 64, 100);
    assert_int_equal(dns_msg_read(buf_str(&m.b), DNS_A, &a, &ans), E_LIMIT);
    arena_free(&a);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"Example.TEST", "example.test"},
        {"example.test.", "example.test"},
        {"_dmarc.a-b.test", "_dmarc.a-b.test"},
        {"b\xc3\xbc"
         "cher.test",
         "xn--bcher-kva.test"},
        {"stra\xc3\x9f"
         "e.test",
         "xn--strae-oqa.test"},
        {"", NULL},
        {".", NULL},
        {"a..test", NULL},
        {".test", NULL},
        {"a.test..", NULL},
        {"a b.test", NULL},
        {"a\\.test", NULL},
        {"a@b.test", NULL},
        {"\xff.test", NULL},
        {"*.test", NULL},
    };
    struct arena a;
    arena_init(&a, 256, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        str got;
        err e = dns_name_read(str_c(cases[i].in), false, &a, &got);
        assert_int_equal(e, cases[i].out ? OK : E_SYNTAX);
        if (cases[i].out)
            assert_string_equal(got.p, cases[i].out);
    }
    char label[300];
    str got;
    memset(label, 'a', sizeof label);
    assert_int_equal(dns_name_read(str_mem(label, 63), false, &a, &got), OK);
    assert_int_equal(dns_name_read(str_mem(label, 64), false, &a, &got), E_SYNTAX);
    for (size_t i = 50; i < 300; i += 50)
        label[i] = '.';
    assert_int_equal(dns_name_read(str_mem(label, 253), false, &a, &got), OK);
    assert_int_equal(dns_name_read(str_mem(label, 254), false, &a, &got), E_SYNTAX);
    arena_free(&a);
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned type;
        bool ours;
        err e;
        const char *hex;
    } cases[] = {
        {"localhost", DNS_A, true, OK, "7f000001"},
        {"localhost", DNS_AAAA, true, E_DNS_NODATA, ""},
        {"sub.localhost", DNS_AAAA, true, OK, "00000000000000000000000000000001"},
        {"two.test", DNS_A, true, OK, "0a0000010a000002"},
        {"alias", DNS_A, true, OK, "0a000001"},
        {"six.test", DNS_AAAA, true, OK, "fe800000000000000000000000000001"},
        {"localhost", DNS_MX, false, OK, ""},
        {"other.test", DNS_A, false, OK, ""},
        {"commented", DNS_A, false, OK, ""},
    };
    struct dns_hosts *h;
    assert_int_equal(dns_hosts_new(&h, S("# top\n127.0.0.1\tlocalhost\r\n10.0.0.1 Two.TEST alias # commented\n\n"
                                         "10.0.0.2 two.test bad..name\nnonsense line\nfe80::1 six.test\n10.0.0.3")),
                     OK);
    struct arena a;
    arena_init(&a, 1024, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_answer ans = {0};
        char text[100] = "";
        struct buf out;
        err e = OK;
        assert_int_equal(dns_hosts_find(h, str_c(cases[i].name), cases[i].type, &a, &ans, &e), cases[i].ours);
        assert_int_equal(e, cases[i].e);
        buf_init_fixed(&out, text, sizeof text - 1);
        for (size_t k = 0; k < ans.n; k++)
            hex_encode(&out, ans.v[k].data);
        text[out.n] = 0;
        assert_string_equal(text, cases[i].hex);
    }
    struct ip ip;
    str name;
    assert_true(ip_parse(S("10.0.0.1"), &ip) && dns_hosts_name(h, &ip, &name) && str_eq(name, S("two.test")));
    assert_true(ip_parse(S("10.0.0.9"), &ip) && !dns_hosts_name(h, &ip, &name));
    arena_free(&a);
    dns_hosts_free(&h);
    dns_hosts_free(&h);
    assert_int_equal(dns_hosts_new(&h, (str){0}), OK);
    dns_hosts_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),  cmocka_unit_test(test_srv),      cmocka_unit_test(test_cnames),
        cmocka_unit_test(test_negative), cmocka_unit_test(test_bad_data), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_many),     cmocka_unit_test(test_names),    cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests_name("net/dns_msg", tests, NULL, NULL);
}
