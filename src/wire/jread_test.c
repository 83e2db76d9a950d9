/* JSON of others: what is taken, what is refused, and how deep it may be. */
#include "base/test.h"
#include "wire/jread.c"

static void strings(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } rows[] = {
        {"\"\"", ""},
        {"\"a b\"", "a b"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e4\\u20ac\"", "A\xc3\xa4\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d!\"", "\xef\xbf\xbd!"}, /* half a pair */
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"12", ""}, /* another kind is passed over */
        {"[1,\"x\"]", ""},
        {"\"abc", NULL},
        {"\"a\nb\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\u12\"", NULL},
        {"\"\\", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct jread j = jread_of(str_c(rows[i].in));
        arena_init(&a, 1024, 65536);
        str s = jread_text(&j, &a, 100);
        assert_int_equal(j.bad, !rows[i].out);
        if (rows[i].out) {
            assert_str(s, rows[i].out);
            assert_true(jread_end(&j));
        }
        arena_free(&a);
    }
}

static void long_strings(void **state)
{
    (void)state;
    struct arena a;
    struct jread j = jread_of(S("\"abcdef\\u20acg\""));
    arena_init(&a, 1024, 65536);
    assert_str(jread_text(&j, &a, 6), "abcdef");
    assert_true(jread_end(&j));
    j = jread_of(S("\"abcdef\\u20acg\"")); /* no half character */
    assert_str(jread_text(&j, &a, 8), "abcdefg");
    arena_free(&a);
}

static void lists(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
        int members;
    } rows[] = {
        {"{}", true, 0},
        {" { \"a\" : 1 , \"b\" : [1,2,{}] } ", true, 2},
        {"{\"a\":1,}", false, 0},
        {"{\"a\" 1}", false, 0},
        {"{\"a\":1", false, 0},
        {"{a:1}", false, 0},
        {"{\"a\":1}x", false, 0},
        {"{\"a\":tru}", false, 0},
        {"{\"a\":[1,2}", false, 0},
        {"{\"a\":-1.5e+3,\"b\":null,\"c\":false}", true, 3},
        {"[1]", true, 0}, /* no object: passed over */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        str name;
        int n = 0;
        struct jread j = jread_of(str_c(rows[i].in));
        arena_init(&a, 1024, 65536);
        for (struct jread_list l = jread_object(&j); jread_member(&j, &l, &a, &name); n++)
            jread_pass(&j);
        bool good = jread_end(&j);
        assert_int_equal(good, rows[i].good);
        if (good)
            assert_int_equal(n, rows[i].members);
        arena_free(&a);
    }
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        uint64_t n;
    } rows[] = {{"0", 0},
                {"18446744073709551615", UINT64_MAX},
                {"18446744073709551616", 0},
                {"-1", 0},
                {"1.5", 0},
                {"\"42\"", 42},
                {"\"x\"", 0},
                {"null", 0},
                {"{}", 0},
                {"[7]", 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jread j = jread_of(str_c(rows[i].in));
        assert_true(jread_count(&j) == rows[i].n);
        assert_true(jread_end(&j));
    }
}

/* n brackets, entered and passed over: JREAD_DEPTH_MAX of them are taken. */
static void depth(void **state)
{
    (void)state;
    for (int n = JREAD_DEPTH_MAX - 1; n <= JREAD_DEPTH_MAX + 1; n++) {
        char text[2 * JREAD_DEPTH_MAX + 4] = {0};
        memset(text, '[', (size_t)n);
        memset(text + n, ']', (size_t)n);
        struct jread passed = jread_of(str_c(text)), entered = passed;
        jread_pass(&passed);
        assert_int_equal(passed.bad, n > JREAD_DEPTH_MAX);
        assert_int_equal(passed.e, n > JREAD_DEPTH_MAX ? E_LIMIT : OK);
        for (int i = 0; i < n; i++)
            (void)jread_array(&entered);
        assert_int_equal(entered.bad, n > JREAD_DEPTH_MAX);
    }
    struct jread far = jread_of(S("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["));
    jread_pass(&far);
    assert_true(far.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(strings), cmocka_unit_test(long_strings),
                                       cmocka_unit_test(lists), cmocka_unit_test(numbers), cmocka_unit_test(depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
