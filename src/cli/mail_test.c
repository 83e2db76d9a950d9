/* What sendmail does to a message: line ends, recipients of -t, the header block that leaves. */
#include "base/test.h"
#include "cli/mail.c"

static struct arena arena;
static struct buf out, why;

static void again(void)
{
    arena_reset(&arena);
    buf_clear(&out);
    buf_clear(&why);
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool dot;
    } v[] = {
        {"a\nb\n", "a\r\nb\r\n", true},
        {"a\r\nb", "a\r\nb\r\n", true},
        {"a\n.\nb\n", "a\r\n", true},
        {"a\n.\nb\n", "a\r\n.\r\nb\r\n", false},
        {"a\n.", "a\r\n", true},
        {"a\n..\nb", "a\r\n..\r\nb\r\n", true},
        {"From me Mon\nTo: x\n\n", "To: x\r\n\r\n", true},
        {"", "", true},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        again();
        mail_text(&out, str_c(v[i].in), v[i].dot);
        assert_str(buf_str(&out), v[i].out);
    }
}

static void recipients(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } v[] = {
        {"To: a@b, C <c@d>\r\ncc: e\r\nBcc: f@g (x)\r\n\r\nTo: no@body\r\n", "a@b c@d e f@g"},
        {"To: a@b\r\nResent-To: r@s\r\nResent-Bcc: t@u\r\n\r\n", "r@s t@u"},
        {"To: list: a@b, c@d;, e@f\r\n\r\n", "a@b c@d e@f"},
        {"To: a@b, a@b\r\n\r\n", "a@b"},
        {"To: undisclosed-recipients:;\r\n\r\n", ""},
        {"Subject: x\r\n\r\n", ""},
        {"To: a@b (open\r\n\r\n", NULL},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        struct name_list l = {0};
        again();
        assert_int_equal(mail_recipients(&arena, str_c(v[i].in), &l, &why), v[i].out != NULL);
        for (size_t k = 0; k < l.n && v[i].out; k++)
            buf_printf(&out, "%s" STR_FMT, k ? " " : "", STR_ARG(l.v[k]));
        if (v[i].out)
            assert_str(buf_str(&out), v[i].out);
        else
            assert_true(why.n > 0);
    }
}

static void headers(void **state)
{
    (void)state;
    static str map_v[] = {S_INIT("me@here.test=me@world.test"), S_INIT("root@here.test = ops@world.test")};
    static const struct conf_list map = {map_v, 2};
    static const struct {
        const char *in, *out;
        bool map;
    } v[] = {
        {"Subject: x\r\n\r\nbody\r\n", "Subject: x\r\nFrom: Me <me@here.test>\r\n\r\nbody\r\n", false},
        {"From: a@b\r\nBcc: x@y,\r\n z@w\r\nReturn-Path: <q>\r\n\r\nb", "From: a@b\r\n\r\nb", false},
        {"no header\r\n", "From: Me <me@here.test>\r\n\r\nno header\r\n", false},
        {"From: root (Cron Daemon)\r\nTo: root, B <bob>, c@d\r\n\r\n",
         "From: root@here.test (Cron Daemon)\r\nTo: root@here.test, B <bob@here.test>, c@d\r\n\r\n", false},
        {"From: root <root>\r\n\r\n", "From: root <root@here.test>\r\n\r\n", false},
        {"From: root <root>\r\nTo: me@localhost\r\n\r\n", "From: root <ops@world.test>\r\nTo: me@world.test\r\n\r\n",
         true},
        {"From: x@y\r\nTo: g: a, b@c;\r\n\r\n", "From: x@y\r\nTo: g: a@here.test, b@c;\r\n\r\n", false},
        {"From: x@y\r\nTo: (broken\r\nX: 1\r\n\r\n", "From: x@y\r\nTo: (broken\r\nX: 1\r\n\r\n", false},
        {"From: x@y\r\nX: bcc: no\r\n\r\n", "From: x@y\r\nX: bcc: no\r\n\r\n", false},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        struct mail_rules r = {S("here.test"), v[i].map ? &map : NULL, S("Me <me@here.test>")};
        again();
        assert_int_equal(mail_header(&arena, &out, str_c(v[i].in), &r), OK);
        assert_str(buf_str(&out), v[i].out);
    }
}

static void from_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *out;
    } v[] = {
        {"", "<a@b>"},
        {"Alice Smith", "Alice Smith <a@b>"},
        {"A. \"B\" C", "\"A. \\\"B\\\" C\" <a@b>"},
        {"J\xc3\xbcrgen", "=?UTF-8?B?SsO8cmdlbg==?= <a@b>"},
        {"x\ry", "<a@b>"},
        {"bad \xff", "<a@b>"},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        again();
        mail_from_value(&out, str_c(v[i].name), S("a@b"));
        assert_str(buf_str(&out), v[i].out);
    }
}

static void conversion(void **state)
{
    (void)state;
    static char text[4096];
    assert_true(mail_carriable(S("")));
    for (size_t n = 998; n <= 999; n++) {
        size_t at = (size_t)snprintf(text, sizeof text, "From: a@b\r\n\r\n");
        memset(text + at, 'x', n);
        memcpy(text + at + n, "\r\n", 2);
        str message = {text, at + n + 2};
        assert_int_equal(mail_carriable(message), n == 998);
        again();
        if (n == 999) {
            assert_int_equal(mail_convert(&out, message), OK);
            assert_true(mail_carriable(buf_str(&out)));
            assert_true(str_search(buf_str(&out), S("quoted-printable")) != STR_NONE);
        }
    }
    assert_false(mail_carriable((str)S_INIT("a\0b\r\n")));
}

int main(void)
{
    buf_init(&out, 1 << 20);
    buf_init(&why, 4096);
    arena_init(&arena, 1024, 1 << 20);
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(recipients), cmocka_unit_test(headers),
                                       cmocka_unit_test(from_values), cmocka_unit_test(conversion)};
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    buf_free(&why);
    arena_free(&arena);
    return r;
}
