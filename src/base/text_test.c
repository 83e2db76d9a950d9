/* Numbers, dates, UTF-8, JSON and safe text; the error table. */
#include "base/text.h"
#include "base/test.h"

#include <errno.h>

static struct buf out;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static void test_u64(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool ok;
        uint64_t v;
    } cases[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1x", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 0;
        assert_int_equal(text_u64(str_c(cases[i].s), &v), cases[i].ok);
        assert_true(v == cases[i].v);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        str s;
        bool ok;
    } cases[] = {
        {S_INIT(""), true},
        {S_INIT("a\0b"), true},
        {S_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), true},
        {S_INIT("\xc0\x80"), false}, /* overlong */
        {S_INIT("\xe0\x9f\xbf"), false},
        {S_INIT("\xf0\x8f\xbf\xbf"), false},
        {S_INIT("\xed\xa0\x80"), false}, /* a surrogate */
        {S_INIT("\xed\x9f\xbf\xee\x80\x80"), true},
        {S_INIT("\xf4\x8f\xbf\xbf"), true},
        {S_INIT("\xf4\x90\x80\x80"), false}, /* above U+10FFFF */
        {S_INIT("\xf5\x80\x80\x80"), false},
        {S_INIT("\x80"), false},
        {S_INIT("\xe2\x82"), false},
        {S_INIT("\xc3\x28"), false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(text_utf8(cases[i].s), cases[i].ok);
    assert_true(text_ascii(S("az\x7f")) && !text_ascii(S("a\x80")));
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *date, *time;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"},
        {1795339200123, "Sun, 22 Nov 2026 09:20:00 +0000", "2026-11-22T09:20:00.123Z"},
        {951782400999, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.999Z"},
        {-1, "Thu, 01 Jan 1970 00:00:00 +0000", "1969-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = 0;
        buf_clear(&out);
        text_date(&out, cases[i].ms / 1000);
        assert_str(buf_str(&out), cases[i].date);
        buf_clear(&out);
        text_time(&out, cases[i].ms);
        assert_str(buf_str(&out), cases[i].time);
        assert_true(text_parse_time(buf_str(&out), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void test_parse_time(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool ok;
        int64_t ms;
    } cases[] = {
        {"2026-11-22T09:20:00Z", true, 1795339200000},
        {"2026-11-22 09:20:00z", true, 1795339200000},
        {"2026-11-22T10:20:00+01:00", true, 1795339200000},
        {"2026-11-22T05:50:00.5-03:30", true, 1795339200500},
        {"2026-11-22T09:20:00.1239999Z", true, 1795339200123},
        {"2026-11-22T09:20:00", false, 0},
        {"2026-11-22", false, 0},
        {"2026-13-22T09:20:00Z", false, 0},
        {"2026-00-22T09:20:00Z", false, 0},
        {"2026-11-00T09:20:00Z", false, 0},
        {"2026-02-30T09:20:00Z", false, 0},
        {"2026-11-22T24:20:00Z", false, 0},
        {"2026-11-22T09:60:00Z", false, 0},
        {"2026-11-22T09:20:00Zx", false, 0},
        {"2026-11-22T09:20:00+1:00", false, 0},
        {"2026-11-22T09:20:00+25:00", false, 0},
        {"26-11-22T09:20:00Z", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = 0;
        if (text_parse_time(str_c(cases[i].s), &ms) != cases[i].ok)
            fail_msg("%s", cases[i].s);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void test_age(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *text;
    } cases[] = {
        {-5, "0 s"}, {59, "59 s"}, {60, "1 min 0 s"}, {3600, "1 h 0 min"}, {7500, "2 h 5 min"}, {262800, "3 d 1 h"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_clear(&out);
        text_age(&out, cases[i].s);
        assert_str(buf_str(&out), cases[i].text);
    }
}

static void test_quoted(void **state)
{
    (void)state;
    buf_clear(&out);
    text_json(&out, S("a\"\\\n\r\0\x7f\xc3\xa4\xff"));
    assert_str(buf_str(&out), "\"a\\\"\\\\\\n\\u000d\\u0000\\u007f\xc3\xa4\xef\xbf\xbd\"");
    buf_clear(&out);
    text_safe(&out, S("a \"\\\r\n\0\x7f\xe4~"));
    assert_str(buf_str(&out), "a \\\"\\\\\\x0d\\x0a\\x00\\x7f\\xe4~");
}

static void test_errors(void **state)
{
    (void)state;
    for (err e = OK; e < ERR_COUNT; e++) {
        assert_true(strlen(err_name(e)) > 0 && strlen(err_text(e)) > 0);
        assert_non_null(strchr(err_esc(e), '.'));
    }
    assert_string_equal(err_name(E_DISK_FULL), "DISK_FULL");
    assert_string_equal(err_name((err)9999), "UNKNOWN");
    assert_string_equal(err_name((err)-1), "UNKNOWN");
    assert_true(err_is_perm(E_SYNTAX) && !err_is_perm(OK) && !err_is_perm(E_UNKNOWN) && !err_is_perm(E_BUG));
    assert_int_equal(err_from_errno(0), OK);
    assert_int_equal(err_from_errno(ENOSPC), E_DISK_FULL);
    assert_int_equal(err_from_errno(EDQUOT), E_DISK_FULL);
    assert_int_equal(err_from_errno(EPIPE), E_RESET);
    assert_int_equal(err_from_errno(EBADF), E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),        cmocka_unit_test(test_utf8), cmocka_unit_test(test_dates),
        cmocka_unit_test(test_parse_time), cmocka_unit_test(test_age),  cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
