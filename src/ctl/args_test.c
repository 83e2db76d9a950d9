/* Options of control commands: what each gives, and what each refusal says. */
#include "base/test.h"
#include "ctl/args.c"

static struct arena arena;
static struct buf why;

static bool parse(const char *words, unsigned opts, struct ctl_args *a)
{
    static str v[16];
    size_t n = 0;
    str rest = str_c(words), one;
    while (rest.n && str_cut(&rest, ' ', &one))
        v[n++] = one;
    buf_clear(&why);
    arena_reset(&arena);
    return ctl_args_parse(&arena, v, n, opts, a, &why);
}

static void spans(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } v[] = {{"0s", 0},
             {"1ms", 1},
             {"90s", 90000},
             {"30min", 1800000},
             {"30m", 1800000},
             {"2h", 7200000},
             {"1d12h", 129600000},
             {"1w", 604800000},
             {"", -1},
             {"2", -1},
             {"h", -1},
             {"2 h", -1},
             {"2x", -1},
             {"-2h", -1},
             {"1h2", -1},
             {"99999999999999999999s", -1},
             {"9223372036854775807w", -1}};
    for (size_t i = 0; i < COUNT(v); i++) {
        int64_t ms = -1;
        assert_int_equal(ctl_span(str_c(v[i].text), &ms), v[i].ms >= 0);
        assert_int_equal(ms, v[i].ms);
    }
}

static void good(void **state)
{
    (void)state;
    struct ctl_args a;
    assert_true(parse("", 0, &a));
    assert_int_equal(a.filter.tenant, -1);
    assert_int_equal(a.filter.held, -1);
    assert_false(a.filtered);
    assert_true(parse("--sender a@b --recipient=c --older 2h --younger=1d --tenant 7 --held --dry-run x y",
                      OPT_FILTER | OPT_DRY, &a));
    assert_str(a.filter.sender, "a@b");
    assert_str(a.filter.recipient, "c");
    assert_int_equal(a.filter.older_ms, 7200000);
    assert_int_equal(a.filter.younger_ms, 86400000);
    assert_int_equal(a.filter.tenant, 7);
    assert_int_equal(a.filter.held, 1);
    assert_true(a.dry_run && a.filtered);
    assert_int_equal(a.nword, 2);
    assert_str(a.word[1], "y");
    assert_true(parse("--held=no -- --json -", OPT_FILTER, &a));
    assert_int_equal(a.filter.held, 0);
    assert_false(a.json);
    assert_int_equal(a.nword, 2);
    assert_str(a.word[0], "--json");
    assert_true(parse("--limit 3 --error <>", OPT_FILTER | OPT_LIMIT, &a));
    assert_int_equal(a.limit, 3);
    assert_str(a.filter.error, "<>");
}

static void bad(void **state)
{
    (void)state;
    static const struct {
        const char *words, *why;
    } v[] = {
        {"--sneder x", "unknown option --sneder; see postrider help"},
        {"-s x", "unknown option -s; see postrider help"},
        {"--limit 3", "this command does not take the option --limit; see postrider help"},
        {"--sender", "--sender: expected a value behind it, found the end"},
        {"--sender=", "--sender: expected a text, found an empty one"},
        {"--older 2", "--older: expected a time such as 30min, 2h or 1d, found \"2\""},
        {"--tenant -1", "--tenant: expected a whole number, found \"-1\""},
        {"--tenant 9223372036854775808", "--tenant: expected a whole number, found \"9223372036854775808\""},
        {"--held=maybe", "--held: expected nothing, =yes or =no, found \"maybe\""},
        {"--all=yes", "--all takes no value"},
        {"--\x1b[31m", "unknown option --\\x1b[31m; see postrider help"},
    };
    struct ctl_args a;
    for (size_t i = 0; i < COUNT(v); i++) {
        assert_false(parse(v[i].words, OPT_FILTER | OPT_ALL, &a));
        assert_str(buf_str(&why), v[i].why);
    }
}

int main(void)
{
    buf_init(&why, 4096);
    arena_init(&arena, 1024, 65536);
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans), cmocka_unit_test(good), cmocka_unit_test(bad)};
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&why);
    arena_free(&arena);
    return r;
}
