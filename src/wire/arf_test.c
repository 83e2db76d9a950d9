/* Fields of feedback reports, and those of the message that they are about. */
#include "base/test.h"
#include "wire/arf.c"

static void fields(void **state)
{
    (void)state;
    struct arena a;
    struct arf f;
    arena_init(&a, 4096, 1 << 20);
    assert_int_equal(arf_read(S("\r\nFeedback-Type: Abuse\r\nSource-IP: 192.0.2.1\r\nOriginal-Mail-From: <a@b.test>\r\n"
                                "Original-Rcpt-To: <x@y.test>\r\nOriginal-Rcpt-To: z@y.test\r\nUser-Agent: one\r\n"
                                "User-Agent: two\r\nAuthentication-Results: mx;\r\n spf=fail\r\n\r\nSource-IP: no\r\n"),
                              S("From: Me <me@b.test>\r\nSubject: first\r\n second\r\n\r\nSubject: body\r\n"), &a, &f),
                     OK);
    assert_str(f.type, "abuse");
    assert_false(arf_is_failure(&f));
    assert_str(f.source_ip, "192.0.2.1");
    assert_str(f.mail_from, "a@b.test");
    assert_str(f.user_agent, "one");
    assert_str(f.results, "mx; spf=fail");
    assert_int_equal(f.nrcpt, 2);
    assert_str(f.rcpt[0], "x@y.test");
    assert_str(f.subject, "first second");
    assert_int_equal(arf_read(S("Feedback-Type: auth-failure\nOriginal-Mail-From: <>\n"), S(""), &a, &f), OK);
    assert_true(arf_is_failure(&f) && !f.from.n);
    assert_str(f.mail_from, "<>");
    assert_int_equal(arf_read(S("User-Agent: x\r\n"), S(""), &a, &f), E_SYNTAX);
    assert_int_equal(arf_read(S(""), S(""), &a, &f), E_SYNTAX);
    arena_free(&a);
}

static void limits(void **state)
{
    (void)state;
    for (int n = ARF_FIELDS_MAX - 1; n <= ARF_FIELDS_MAX; n++) {
        struct arena a;
        struct arf f;
        struct buf b;
        arena_init(&a, 4096, 1 << 20);
        buf_init(&b, 1 << 20);
        buf_add_c(&b, "Feedback-Type: abuse\r\n");
        for (int i = 0; i < n; i++)
            buf_add_c(&b, "Original-Rcpt-To: <a@b.test>\r\n");
        assert_int_equal(arf_read(buf_str(&b), S(""), &a, &f), n < ARF_FIELDS_MAX ? OK : E_LIMIT);
        assert_true(f.nrcpt == ARF_LIST_MAX);
        buf_clear(&b);
        buf_add_c(&b, "Feedback-Type: ");
        for (int i = 0; i < 5000; i++)
            buf_add_char(&b, 'x');
        assert_int_equal(arf_read(buf_str(&b), S(""), &a, &f), OK);
        assert_int_equal(f.type.n, ARF_TEXT_MAX - 1); /* one was the blank before it */
        buf_free(&b);
        arena_free(&a);
        for (size_t max = 0; max < 3000; max += 61) {
            struct arena little;
            arena_init(&little, 64, max);
            err e = arf_read(S("Feedback-Type: abuse\r\nSource-IP: 192.0.2.1\r\n"), S("From: a@b\r\n"), &little, &f);
            assert_true(e == OK || e == E_LIMIT || e == E_NOMEM);
            arena_free(&little);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields), cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
