#include "wire/proxyp.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define A4 "\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x19"
#define IN(s) s, sizeof(s) - 1

static const struct {
    const char *in;
    size_t n;
    enum proxyp_result want;
    size_t used;
    const char *src; /* NULL: local */
} cases[] = {
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 1024 25\r\n"), PROXYP_OK, 40, "192.0.2.1:1024"},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 1024 25\r\nEHLO x\r\n"), PROXYP_OK, 40, "192.0.2.1:1024"},
    {IN("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), PROXYP_OK, 36, "[2001:db8::1]:1"},
    {IN("PROXY UNKNOWN\r\n"), PROXYP_OK, 15, NULL},
    {IN("PROXY UNKNOWN ff ff 1 1\r\n"), PROXYP_OK, 25, NULL},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 1024 25\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 1024 25 \r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 1024\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4  192.0.2.1 192.0.2.2 1024 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 01024 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP4 ::1 ::1 1 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY TCP6 1.2.3.4 1.2.3.4 1 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY UDP4 1.2.3.4 1.2.3.4 1 25\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY UNKNOWN a\rb\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY UNKNOWN a\nb\r\n"), PROXYP_BAD, 0, 0},
    {IN("PROXY UNKNOWNX\r\n"), PROXYP_BAD, 0, 0},
    {IN("EHLO x\r\n"), PROXYP_BAD, 0, 0},
    {IN("proxy TCP4 1.2.3.4 1.2.3.4 1 25\r\n"), PROXYP_BAD, 0, 0},
    {IN(SIG "\x21\x11\0\x0c" A4), PROXYP_OK, 28, "192.0.2.1:1024"},
    {IN(SIG "\x21\x11\0\x0c" A4 "EHLO"), PROXYP_OK, 28, "192.0.2.1:1024"},
    {IN(SIG "\x20\x00\0\x00"), PROXYP_OK, 16, NULL},
    {IN(SIG "\x20\x11\0\x0c" A4), PROXYP_OK, 28, NULL},
    {IN(SIG "\x21\x00\0\x03"
            "abc"),
     PROXYP_OK, 19, NULL},
    {IN(SIG "\x21\x21\0\x24"
            "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
            "\0\1\0\x19"),
     PROXYP_OK, 52, "[2001:db8::1]:1"},
    {IN(SIG "\x21\x11\0\x10" A4 "\x04\0\1x"), PROXYP_OK, 32, "192.0.2.1:1024"},
    {IN(SIG "\x21\x11\0\x10" A4 "\x04\0\2x"), PROXYP_BAD, 0, 0},
    {IN(SIG "\x21\x11\0\x0e" A4 "\x04\0"), PROXYP_BAD, 0, 0},
    {IN(SIG "\x21\x11\0\x0b" A4), PROXYP_BAD, 0, 0},
    {IN(SIG "\x21\x12\0\x0c" A4), PROXYP_BAD, 0, 0},
    {IN(SIG "\x11\x11\0\x0c" A4), PROXYP_BAD, 0, 0},
    {IN(SIG "\x22\x11\0\x0c" A4), PROXYP_BAD, 0, 0},
    {IN(SIG "\x21\x11\xff\xff" A4), PROXYP_BAD, 0, 0},
    {IN(SIG "\x21\x11\0\x13" A4 "\x03\0\4\0\0\0\0"), PROXYP_BAD, 0, 0}, /* a wrong checksum */
};

static void headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxyp p;
        enum proxyp_result r = proxyp_parse((str){cases[i].in, cases[i].n}, &p);
        if (r != cases[i].want)
            fail_msg("%zu %s: %d", i, cases[i].in, r);
        if (r != PROXYP_OK)
            continue;
        assert_int_equal(p.used, cases[i].used);
        assert_int_equal(p.local, cases[i].src == NULL);
        if (cases[i].src) {
            char mem[64];
            struct buf b;
            buf_init_fixed(&b, mem, sizeof mem);
            ip_print_port(&b, &p.src);
            assert_true(str_eq(buf_str(&b), str_c(cases[i].src)));
        }
        for (size_t n = 0; n < p.used; n++) { /* every shorter piece wants more, from exact memory */
            struct proxyp q;
            char *m = malloc(n + 1);
            memcpy(m, cases[i].in, n);
            assert_int_equal(proxyp_parse((str){m, n}, &q), PROXYP_MORE);
            free(m);
        }
    }
}

static void extras(void **state)
{
    (void)state;
    char in[] = SIG "\x21\x11\0\x1b" A4 "\x20\0\5\1\0\0\0\0"
                    "\x03\0\4\0\0\0\0";
    struct proxyp p;
    size_t n = sizeof in - 1;
    uint32_t crc = crc32c(0, in, n);
    for (int i = 0; i < 4; i++)
        in[n - 4 + (size_t)i] = (char)(crc >> (24 - 8 * i));
    assert_int_equal(proxyp_parse((str){in, n}, &p), PROXYP_OK);
    assert_true(p.tls && !p.local);
    char line[200];
    memset(line, 'f', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(proxyp_parse((str){line, 107}, &p), PROXYP_OK);
    memset(line + 100, 'f', 10);
    memcpy(line + 106, "\r\n", 2);
    assert_int_equal(proxyp_parse((str){line, 108}, &p), PROXYP_BAD);
}

static const struct {
    const char *src, *dst;
    int version;
    const char *out;
    size_t n;
} printed[] = {
    {"192.0.2.1:1000", "192.0.2.2:25", 1, IN("PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\n")},
    {"[2001:db8::1]:65535", "[::1]:1", 1, IN("PROXY TCP6 2001:db8::1 ::1 65535 1\r\n")},
    {"192.0.2.1:1000", "[::1]:25", 1, IN("PROXY UNKNOWN\r\n")},
    {NULL, NULL, 1, IN("PROXY UNKNOWN\r\n")},
    {"192.0.2.1:258", "192.0.2.2:25", 2, IN(SIG "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\1\2\0\x19")},
    {NULL, NULL, 2, IN(SIG "\x20\0\0\0")},
};

static struct ip_port port_of(const char *text)
{
    struct ip_port p = {0};
    if (text)
        assert_true(ip_port_parse(str_c(text), 0, &p));
    return p;
}

static void printing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
        char mem[PROXYP_V1_MAX];
        struct buf b;
        struct proxyp back;
        struct ip_port src = port_of(printed[i].src), dst = port_of(printed[i].dst);
        buf_init_fixed(&b, mem, sizeof mem);
        proxyp_print(&b, printed[i].version, &src, &dst);
        if (!str_eq(buf_str(&b), str_mem(printed[i].out, printed[i].n)))
            fail_msg("%zu: %.*s", i, (int)b.n, b.p);
        assert_int_equal(proxyp_parse(buf_str(&b), &back), PROXYP_OK);
        assert_int_equal(back.local, !src.ip.v || src.ip.v != dst.ip.v);
        if (!back.local)
            assert_true(ip_eq(&back.src.ip, &src.ip) && back.dst.port == dst.port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(extras), cmocka_unit_test(printing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
