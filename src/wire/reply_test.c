#include "wire/reply.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char mem[8192];
static str print(const struct reply *r)
{
    struct buf out;
    buf_init_fixed(&out, mem, sizeof mem);
    reply_print(&out, r);
    return buf_str(&out);
}

static void printing(void **state)
{
    (void)state;
    struct reply r;
    reply_set(&r, 250, "2.0.0", "Ok: queued as %s", "ABC");
    assert_true(str_eq(print(&r), S("250 2.0.0 Ok: queued as ABC\r\n")));
    reply_set(&r, 354, "", "go on");
    assert_true(str_eq(print(&r), S("354 go on\r\n")));
    reply_set(&r, 250, NULL, "mx.test");
    reply_add(&r, "PIPELINING");
    reply_add(&r, "SIZE %d", 100);
    assert_true(str_eq(print(&r), S("250-mx.test\r\n250-PIPELINING\r\n250 SIZE 100\r\n")));
    reply_set(&r, 550, "5.7.1", "one\ntwo");
    assert_true(str_eq(print(&r), S("550-5.7.1 one\r\n550 5.7.1 two\r\n")));
    /* nothing that breaks a line gets out */
    reply_set_str(&r, 550, "5.1.1", S("a\r\n250 ok\0b\x1b\xe9%s\n"));
    assert_true(str_eq(print(&r), S("550-5.1.1 a?\r\n550 5.1.1 250 ok?b??%s\r\n")));
    /* a bad enhanced code is left out */
    reply_set(&r, 550, "5.1", "x");
    assert_true(str_eq(print(&r), S("550 x\r\n")));
    reply_set(&r, 550, "5.1.1\r\n", "x");
    assert_true(str_eq(print(&r), S("550 x\r\n")));
    reply_set(&r, 250, "2.0.0", "%s", "");
    assert_true(str_eq(print(&r), S("250 2.0.0 \r\n")));
    r = (struct reply){0};
    assert_true(str_starts(print(&r), S("451 4.3.0 ")));
}

static void wrapping(void **state)
{
    (void)state;
    char text[1200];
    struct reply r;
    for (size_t len = 480; len < 1200; len += 7)
        for (int blanks = 0; blanks < 2; blanks++) {
            for (size_t i = 0; i < len; i++)
                text[i] = blanks && i % 9 == 8 ? ' ' : 'x';
            reply_set_str(&r, 550, "5.7.1", (str){text, len});
            assert_int_equal(r.cut, len > REPLY_TEXT_MAX);
            str out = print(&r), rest = out, line;
            size_t x = 0;
            while (str_cut(&rest, '\n', &line) && line.n) {
                assert_true(line.n + 1 <= REPLY_LINE_MAX && str_starts(line, S("550")) && str_ends(line, S("\r")));
                assert_int_equal(line.p[3], rest.n ? '-' : ' ');
                for (size_t i = 10; i < line.n; i++)
                    x += line.p[i] == 'x';
            }
            size_t want = 0;
            for (size_t i = 0; i < len && i < REPLY_TEXT_MAX; i++)
                want += text[i] == 'x';
            assert_int_equal(x, want);
        }
    reply_set(&r, 250, "", "first");
    for (int i = 0; i < 300; i++)
        reply_add(&r, "line %d", i);
    assert_true(r.cut && r.n <= REPLY_TEXT_MAX);
}

static const struct {
    const char *in; /* lines separated by '|' */
    enum reply_in want;
    int code;
    const char *esc, *text;
} parses[] = {
    {"250 ok", REPLY_DONE, 250, "", "ok"},
    {"250", REPLY_DONE, 250, "", ""},
    {"250 ", REPLY_DONE, 250, "", ""},
    {"250-", REPLY_MORE, 250, "", ""},
    {"250-a|250 b", REPLY_DONE, 250, "", "a\nb"},
    {"250-a|250", REPLY_DONE, 250, "", "a"},
    {"550 5.1.1 no such user", REPLY_DONE, 550, "5.1.1", "no such user"},
    {"550-5.1.1 no|550 5.1.1 user", REPLY_DONE, 550, "5.1.1", "no\nuser"},
    {"550-no|550 5.1.1 user", REPLY_DONE, 550, "5.1.1", "no\nuser"},
    {"550 5.1.1", REPLY_DONE, 550, "5.1.1", ""},
    {"550 4.1.1 odd class", REPLY_DONE, 550, "", "4.1.1 odd class"},
    {"550 5.1.1x", REPLY_DONE, 550, "", "5.1.1x"},
    {"550 5.1234.1 x", REPLY_DONE, 550, "", "5.1234.1 x"},
    {"250-2.0.0 a|550 b", REPLY_DONE, 550, "", "a\nb"},
    {"220 a\tb\x01", REPLY_DONE, 220, "", "a\tb?"},
    {"2500 x", REPLY_BAD, 0, "", ""},
    {"25 x", REPLY_BAD, 0, "", ""},
    {"", REPLY_BAD, 0, "", ""},
    {"abc", REPLY_BAD, 0, "", ""},
    {"150 x", REPLY_BAD, 0, "", ""},
    {"650 x", REPLY_BAD, 0, "", ""},
    {"250x", REPLY_BAD, 0, "", ""},
    {"HTTP/1.1 200 OK", REPLY_BAD, 0, "", ""},
};

static void parsing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parses / sizeof *parses; i++) {
        struct reply_parser p;
        str rest = str_c(parses[i].in), line;
        enum reply_in got = REPLY_MORE;
        reply_parser_init(&p);
        if (!rest.n)
            got = reply_parse_line(&p, S(""));
        while (got == REPLY_MORE && str_cut(&rest, '|', &line))
            got = reply_parse_line(&p, line);
        if (got != parses[i].want)
            fail_msg("%s: %d", parses[i].in, got);
        if (got == REPLY_DONE && (p.r.code != parses[i].code || !str_eq(str_c(p.r.esc), str_c(parses[i].esc)) ||
                                  !str_eq(reply_text(&p.r), str_c(parses[i].text))))
            fail_msg("%s: %d '%s' '%.*s'", parses[i].in, p.r.code, p.r.esc, p.r.n, p.r.text);
    }
}

static void parse_limits(void **state)
{
    (void)state;
    struct reply_parser p;
    char line[REPLY_IN_LINE_MAX + 1];
    memset(line, 'x', sizeof line);
    memcpy(line, "250-", 4);
    reply_parser_init(&p);
    assert_int_equal(reply_parse_line(&p, (str){line, REPLY_IN_LINE_MAX}), REPLY_MORE);
    assert_true(p.r.cut);
    assert_int_equal(reply_parse_line(&p, (str){line, REPLY_IN_LINE_MAX + 1}), REPLY_BAD);
    reply_parser_init(&p);
    for (int i = 0; i < REPLY_IN_LINES_MAX; i++)
        assert_int_equal(reply_parse_line(&p, S("250-2.0.0 line of text")), REPLY_MORE);
    assert_int_equal(reply_parse_line(&p, S("250 end")), REPLY_BAD);
}

static void texts(void **state)
{
    (void)state;
    struct reply r;
    struct buf out;
    assert_true(reply_from_text(&r, S("550 5.7.1 Go away")));
    assert_true(r.code == 550 && str_eq(reply_text(&r), S("Go away")));
    assert_string_equal(r.esc, "5.7.1");
    assert_true(reply_from_text(&r, S("451")) && r.code == 451 && r.n == 0);
    assert_true(reply_from_text(&r, S("550 4.7.1 x")) && r.esc[0] == 0);
    assert_false(reply_from_text(&r, S("hello")));
    assert_false(reply_from_text(&r, S("550-x")));
    reply_set(&r, 550, "5.1.1", "a\nb");
    buf_init_fixed(&out, mem, sizeof mem);
    reply_print_line(&out, &r);
    assert_true(str_eq(buf_str(&out), S("550 5.1.1 a; b")));
}

static void ehlo(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "PIPELINING",
        "size 1000",
        "8BITMIME",
        "STARTTLS ",
        "AUTH PLAIN LOGIN  XFOO",
        "AUTH=CRAM-MD5 SCRAM-SHA-256",
        "LIMITS RCPTMAX=50 MAILMAX=7 X=1 RCPTDOMAINMAX=abc",
        "XUNKNOWN 1",
        "",
        "  DSN",
        "MT-PRIORITY MIXER",
    };
    struct ehlo e = {0};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ehlo_line(&e, str_c(lines[i]));
    assert_int_equal(e.caps, CAP_PIPELINING | CAP_SIZE | CAP_8BITMIME | CAP_STARTTLS | CAP_AUTH | CAP_LIMITS | CAP_DSN |
                                 CAP_MT_PRIORITY);
    assert_int_equal(e.auth, AUTH_PLAIN | AUTH_LOGIN | AUTH_CRAM_MD5 | AUTH_SCRAM_SHA_256);
    assert_true(e.size == 1000 && e.rcpt_max == 50 && e.mail_max == 7 && e.rcpt_domain_max == 0);
    ehlo_line(&e, S("SIZE 99999999999999999999999"));
    assert_true(e.size == 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(printing), cmocka_unit_test(wrapping),
                                       cmocka_unit_test(parsing),  cmocka_unit_test(parse_limits),
                                       cmocka_unit_test(texts),    cmocka_unit_test(ehlo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
