#include "base/test.h"
#include "directory/source.h"

static void filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *address, *want;
    } rows[] = {
        {"(mail=%u)", "a@b.test", "(mail=a@b.test)"},
        {"(|(mail=%u)(alias=%u))", "x", "(|(mail=x)(alias=x))"},
        {"(mail=%u)", "*)(uid=\\", "(mail=\\2a\\29\\28uid=\\5c)"},
        {"(mail=%u)", "j\xc3\xb6", "(mail=j\\c3\\b6)"},
        {"(a=%d%u)", "x", "(a=%dx)"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, 1000);
        source_filter(&out, str_c(rows[i].filter), str_c(rows[i].address));
        assert_str(buf_str(&out), rows[i].want);
        buf_free(&out);
    }
}

static void dovecot_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool login, mine;
        enum source_answer want;
    } rows[] = {
        {"OK\t1\tuser=a@b.test", true, true, SOURCE_YES},
        {"FAIL\t1\tuser=a@b.test", true, true, SOURCE_WRONG},
        {"FAIL\t1\tuser=a@b.test\ttemp", true, true, SOURCE_DOWN},
        {"FAIL\t1\tuser=a@b.test\tcode=temp_fail", true, true, SOURCE_DOWN},
        {"OK\t2\tuser=a@b.test", true, false, SOURCE_DOWN},
        {"MECH\tPLAIN\tplaintext", true, false, SOURCE_DOWN},
        {"DONE", true, false, SOURCE_DOWN},
        {"USER\t1\ta@b.test\tuid=1", false, true, SOURCE_YES},
        {"NOTFOUND\t1", false, true, SOURCE_NO},
        {"FAIL\t1\treason=x", false, true, SOURCE_DOWN},
        {"", false, false, SOURCE_DOWN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum source_answer got = SOURCE_DOWN;
        bool mine = source_dovecot_line(str_c(rows[i].line), rows[i].login, &got);
        if (mine != rows[i].mine || got != rows[i].want)
            fail_msg("%s: %d %d", rows[i].line, mine, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(filters), cmocka_unit_test(dovecot_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
