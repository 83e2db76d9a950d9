#include "wire/head.c"
#include "wire/head_addr.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char mem[8192];
static struct buf out;
static void fresh(void) { buf_init_fixed(&out, mem, sizeof mem); }

static const struct {
    const char *in;
    int fields;
    const char *names; /* "A,B," */
    size_t len;        /* head_len */
    bool empty_line;
} blocks[] = {
    {"", 0, "", 0, false},
    {"\r\n", 0, "", 2, true},
    {"A: 1\r\nB: 2\r\n\r\nbody", 2, "A,B,", 14, true},
    {"A: 1\nB: 2\n\nbody", 2, "A,B,", 11, true},
    {"A: 1\r\n folded\r\n\tmore\r\nB:\r\n\r\n", 2, "A,B,", 28, true},
    {"A: 1\r\n \r\nB: 2\r\n", 2, "A,B,", 15, false},
    {"A : 1\r\n", 1, "A,", 7, false},
    {"A: 1", 1, "A,", 4, false},
    {"A: 1\r\nnot a field\r\nB: 2\r\n", 1, "A,", 6, false},
    {" A: 1\r\n", 0, "", 0, false},
    {": 1\r\n", 0, "", 0, false},
    {"From someone Mon\r\nA: 1\r\n", 0, "", 0, false},
    {"\xc3\xa9: 1\r\n", 0, "", 0, false},
    {"A B: 1\r\n", 0, "", 0, false},
    {"A: 1\r\n\r\r\n", 1, "A,", 6, false},
};

static void walk(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct head_field f;
        str rest = str_c(blocks[i].in);
        int n = 0;
        bool empty;
        fresh();
        size_t total = 0;
        while (head_next(&rest, &f)) {
            n++;
            buf_add(&out, f.name);
            buf_add_char(&out, ',');
            total += f.raw.n;
        }
        size_t len = head_len(str_c(blocks[i].in), &empty);
        if (n != blocks[i].fields || !str_eq(buf_str(&out), str_c(blocks[i].names)) || len != blocks[i].len ||
            empty != blocks[i].empty_line)
            fail_msg("%zu '%s': %d %.*s %zu %d", i, blocks[i].in, n, (int)out.n, out.p, len, empty);
        assert_true(total + rest.n == strlen(blocks[i].in));
    }
}

static void find(void **state)
{
    (void)state;
    str b = S("Received: a\r\nTO:  x,\r\n y \r\nreceived: b\r\n\r\nSubject: no\r\n");
    assert_true(str_eq(head_find(b, S("to")), S("  x,\r\n y ")));
    assert_true(head_find(b, S("Subject")).p == NULL);
    assert_int_equal(head_count(b, S("Received")), 2);
    fresh();
    head_unfold(&out, head_find(b, S("to")));
    assert_true(str_eq(buf_str(&out), S("x, y")));
    fresh();
    head_unfold(&out, S(" a\nb\0c\x01 \r\n"));
    assert_true(str_eq(buf_str(&out), S("a b?c?")));
}

static const struct {
    str name, value;
    err e;
    const char *want;
} adds[] = {
    {S_INIT("Subject"), S_INIT("hello"), OK, "Subject: hello\r\n"},
    {S_INIT("Subject"), S_INIT(""), OK, "Subject:\r\n"},
    {S_INIT("Subject"), S_INIT("  a  b  "), OK, "Subject: a  b\r\n"},
    {S_INIT("Subject"), S_INIT("a\nb"), OK, "Subject: a\r\n\tb\r\n"},
    {S_INIT("Subject"), S_INIT("a\n\n \nb"), OK, "Subject: a\r\n\tb\r\n"},
    {S_INIT("Subject"), S_INIT("a\r\nBcc: x"), E_SYNTAX, ""},
    {S_INIT("Subject"), S_INIT("a\rb"), E_SYNTAX, ""},
    {S_INIT("Subject"), S_INIT("a\0b"), E_SYNTAX, ""},
    {S_INIT("Subject"), S_INIT("a\x1b[1m"), E_SYNTAX, ""},
    {S_INIT("Subject"), S_INIT("\xc3\xa9"), OK, "Subject: \xc3\xa9\r\n"},
    {S_INIT("Sub ject"), S_INIT("a"), E_SYNTAX, ""},
    {S_INIT("Subject:"), S_INIT("a"), E_SYNTAX, ""},
    {S_INIT("Sub\r\nX"), S_INIT("a"), E_SYNTAX, ""},
    {S_INIT(""), S_INIT("a"), E_SYNTAX, ""},
};

static void add(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof adds / sizeof *adds; i++) {
        fresh();
        err e = head_add(&out, adds[i].name, adds[i].value);
        if (e != adds[i].e || !str_eq(buf_str(&out), str_c(adds[i].want)))
            fail_msg("%zu: %s '%.*s'", i, err_name(e), (int)out.n, out.p);
    }
    /* folding: no line above 78 but for a long word, and unfolding gives the words back */
    char text[3000];
    for (size_t w = 1; w < 120; w += 3) {
        size_t n = 0;
        while (n + w + 1 < 2000) {
            memset(text + n, 'w', w);
            n += w;
            text[n++] = ' ';
        }
        str value = str_trim((str){text, n}), rest, line;
        fresh();
        assert_int_equal(head_add(&out, S("X-Long"), value), OK);
        rest = buf_str(&out);
        while (str_cut(&rest, '\n', &line))
            assert_true(line.n <= 79 || line.n <= w + 10);
        static char plain[4096];
        struct buf back;
        buf_init_fixed(&back, plain, sizeof plain);
        head_unfold(&back, head_find(buf_str(&out), S("X-Long")));
        assert_true(str_eq(buf_str(&back), value));
    }
    memset(text, 'w', sizeof text);
    fresh();
    assert_int_equal(head_add(&out, S("X"), (str){text, 990}), OK);
    fresh();
    assert_int_equal(head_add(&out, S("X"), (str){text, 1000}), E_LIMIT);
    assert_int_equal(out.n, 0);
}

static void with_words(void **state)
{
    (void)state;
    static const struct {
        int bits; /* esmtp 1, lmtp 2, tls 4, auth 8, utf8 16 */
        const char *want;
    } cases[] = {
        {0, "SMTP"},       {1, "ESMTP"},     {5, "ESMTPS"},      {9, "ESMTPA"},
        {13, "ESMTPSA"},   {3, "LMTP"},      {2, "LMTP"},        {6, "LMTPS"},
        {14, "LMTPSA"},    {17, "UTF8SMTP"}, {29, "UTF8SMTPSA"}, {21, "UTF8SMTPS"},
        {25, "UTF8SMTPA"}, {18, "UTF8LMTP"}, {30, "UTF8LMTPSA"}, {4, "ESMTPS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int b = cases[i].bits;
        assert_string_equal(head_with(b & 1, b & 2, b & 4, b & 8, b & 16), cases[i].want);
    }
}

static void received(void **state)
{
    (void)state;
    struct ip ip;
    assert_true(ip_parse(S("192.0.2.7"), &ip));
    struct head_received r = {.helo = S("client.test"),
                              .rdns = S("real.test"),
                              .ip = &ip,
                              .by = S("mx.test"),
                              .esmtp = true,
                              .tls = true,
                              .tls_info = S("TLSv1.3 (x)"),
                              .id = S("ABC"),
                              .rcpt = S("\"a b\"@c.test"),
                              .unix_s = 1795334400};
    fresh();
    assert_int_equal(head_received(&out, &r), OK);
    assert_true(str_eq(buf_str(&out), S("Received: from client.test (real.test [192.0.2.7])\r\n"
                                        "\tby mx.test with ESMTPS (TLSv1.3 ?x?)\r\n"
                                        "\tid ABC for <\"a b\"@c.test>;\r\n"
                                        "\tSun, 22 Nov 2026 08:00:00 +0000\r\n")));
    r = (struct head_received){.helo = S("a\r\nX: (y\0"), .ip = &ip, .by = S("mx.test"), .unix_s = 1795334400};
    fresh();
    assert_int_equal(head_received(&out, &r), OK);
    assert_true(str_starts(buf_str(&out), S("Received: from a??X:??y? ([192.0.2.7])\r\n\tby mx.test with SMTP;\r\n")));
    r = (struct head_received){.by = S("mx.test"), .local_user = S("uid 1000"), .id = S("Q"), .unix_s = 1795334400};
    fresh();
    assert_int_equal(head_received(&out, &r), OK);
    assert_true(str_starts(buf_str(&out), S("Received: by mx.test (uid 1000)\r\n\tid Q;\r\n\tSun, ")));
    /* the longest of everything fits */
    char big[400];
    memset(big, 'x', sizeof big);
    str b = {big, sizeof big};
    r = (struct head_received){.helo = b,
                               .rdns = b,
                               .ip = &ip,
                               .by = b,
                               .tls_info = b,
                               .auth_user = b,
                               .id = b,
                               .rcpt = str_sub(b, 0, 380),
                               .esmtp = true};
    fresh();
    assert_int_equal(head_received(&out, &r), OK);
}

static void made_fields(void **state)
{
    (void)state;
    fresh();
    head_date(&out, 1795334400);
    head_message_id(&out, 0x123456789, 0xabc, S("mx.test"));
    assert_true(str_eq(buf_str(&out), S("Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n"
                                        "Message-ID: <123456789.0000000000000abc@mx.test>\r\n")));
}

static const struct {
    const char *in, *want; /* specs, each with '|' behind it; '!' at the end: syntax error */
} lists[] = {
    {"", ""},
    {" , ,", ""},
    {"a@b", "a@b|"},
    {"root", "root|"},
    {"a@b, c@d", "a@b|c@d|"},
    {"a@b,c@d,", "a@b|c@d|"},
    {"A B <a@b>", "a@b|"},
    {"\"A, B\" <a@b>, c@d", "a@b|c@d|"},
    {"John Q. Public <a@b>", "a@b|"},
    {"=?utf-8?q?J=C3=A9?= <a@b>", "a@b|"},
    {"J\xc3\xa9 <a@b>", "a@b|"},
    {"<a@b>", "a@b|"},
    {"<>", "|"},
    {"a@b (c, d (e) \\) f), g@h", "a@b|g@h|"},
    {"(x) a (y) @ (z) b . c", "a@b.c|"},
    {"Group: a@b, c@d; , e@f", "a@b|c@d|e@f|"},
    {"undisclosed-recipients:;", ""},
    {"\"a b\"@c", "\"a b\"@c|"},
    {"\"a\\\"b\"@c", "\"a\\\"b\"@c|"},
    {"\"a\r\n b\"@c", "\"a b\"@c|"},
    {"a . b@c", "a.b@c|"},
    {"<@x,@y:a@b>", "a@b|"},
    {"a@[1.2.3.4], b@[IPv6:::1]", "a@[1.2.3.4]|b@[IPv6:::1]|"},
    {"a@b <c@d>", "c@d|"},
    {"a@[1.\r\n 2.3.4]", "a@[1.2.3.4]|"},
    {"X <root>", "root|"},
    {"a\r\n @b,\r\n\tc@d\r\n", "a@b|c@d|"},
    {"a b", "!"},
    {"a@b c@d", "!"},
    {"a@", "!"},
    {"@b", "!"},
    {"a@b@c", "!"},
    {"<a@b", "!"},
    {"a@b>", "!"},
    {"X <a b@c>", "!"},
    {"<@x a@b>", "!"},
    {"\"open", "!"},
    {"(open", "!"},
    {"a@[1.2", "!"},
    {"a@b, )", "a@b|!"},
    {"(((((((((((((((((deep)))))))))))))))))", "!"},
    {"((((((((((((((((ok))))))))))))))))a", "a|"},
};

static void address_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct arena a;
        struct head_addr ha;
        bool bad;
        str rest = str_c(lists[i].in);
        arena_init(&a, 512, 65536);
        fresh();
        while (head_addr_next(&rest, &a, &ha, &bad)) {
            buf_add(&out, ha.spec);
            buf_add_char(&out, '|');
        }
        if (bad)
            buf_add_char(&out, '!');
        if (!str_eq(buf_str(&out), str_c(lists[i].want)))
            fail_msg("%s: %.*s", lists[i].in, (int)out.n, out.p);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(walk),         cmocka_unit_test(find),
                                       cmocka_unit_test(add),          cmocka_unit_test(with_words),
                                       cmocka_unit_test(received),     cmocka_unit_test(made_fields),
                                       cmocka_unit_test(address_lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
