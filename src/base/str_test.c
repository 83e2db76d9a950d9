/* Views: comparing, searching, cutting, hashing. */
#include "base/str.h"
#include "base/test.h"

static void test_compare(void **state)
{
    (void)state;
    static const struct {
        str a, b;
        int cmp;
        bool eq, ieq;
    } cases[] = {
        {S_INIT(""), S_INIT(""), 0, true, true},
        {S_INIT("a"), S_INIT("A"), 1, false, true},
        {S_INIT("a"), S_INIT("ab"), -1, false, false},
        {S_INIT("a\0b"), S_INIT("a\0c"), -1, false, false},
        {S_INIT("\xc4"), S_INIT("\xe4"), -1, false, false},
        {S_INIT("["), S_INIT("{"), -1, false, false},
        {S_INIT("@"), S_INIT("`"), -1, false, false},
        {S_INIT("aZ"), S_INIT("Az"), 1, false, true},
        {{NULL, 0}, S_INIT(""), 0, true, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int c = str_cmp(cases[i].a, cases[i].b);
        assert_int_equal((c > 0) - (c < 0), cases[i].cmp);
        assert_int_equal(str_eq(cases[i].a, cases[i].b), cases[i].eq);
        assert_int_equal(str_eq_secret(cases[i].a, cases[i].b), cases[i].eq);
        assert_int_equal(str_ieq(cases[i].a, cases[i].b), cases[i].ieq);
    }
}

static void test_affixes(void **state)
{
    (void)state;
    assert_true(str_starts(S("abc"), S("ab")) && str_starts(S("abc"), S("")) && !str_starts(S("a"), S("ab")));
    assert_true(str_ends(S("abc"), S("bc")) && str_ends(S("abc"), S("")) && !str_ends(S("c"), S("bc")));
    assert_true(str_istarts(S("MAIL x"), S("mail")) && !str_istarts(S("MAI"), S("mail")));
    assert_true(str_iends(S("a.EXAMPLE"), S(".example")) && !str_starts(S("ABC"), S("ab")));
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find(S("a\0b\0"), 0), 1);
    assert_int_equal(str_rfind(S("a\0b\0"), 0), 3);
    assert_int_equal(str_find(S("abc"), 'd'), STR_NONE);
    assert_int_equal(str_rfind(S(""), 'd'), STR_NONE);
    assert_int_equal(str_find((str){NULL, 0}, 'd'), STR_NONE);
    assert_int_equal(str_search(S("aabaac"), S("aac")), 3);
    assert_int_equal(str_search(S("aab"), S("")), 0);
    assert_int_equal(str_search(S(""), S("a")), STR_NONE);
    assert_str(str_sub(S("hello"), 1, 3), "el");
    assert_str(str_sub(S("hello"), 3, 99), "lo");
    assert_str(str_sub(S("hello"), 9, 2), "");
    assert_str(str_skip(S("hello"), 7), "");
}

static void test_trim(void **state)
{
    (void)state;
    assert_str(str_trim(S(" \t a b\r\n ")), "a b");
    assert_str(str_trim_wsp(S(" \ta\r\n ")), "a\r\n");
    assert_str(str_trim(S(" \r\n")), "");
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        str in;
        const char *parts;
    } cases[] = {
        {S_INIT("a,b,c"), "a|b|c|"}, {S_INIT(""), "|"}, {S_INIT(","), "||"},
        {S_INIT("a,,b,"), "a||b||"}, {{NULL, 0}, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32] = "";
        str rest = cases[i].in, head;
        while (str_cut(&rest, ',', &head)) {
            strncat(out, head.p, head.n);
            strncat(out, "|", 2);
        }
        assert_string_equal(out, cases[i].parts);
    }
}

static void test_hash(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint64_t h;
    } sip13[] = {
        {0, 0xabac0158050fc4dc}, {1, 0xc9f49bf37d57ca93},  {7, 0xd3927d989bb11140},
        {8, 0x369095118d299a8e}, {15, 0xd320d86d2a519956}, {63, 0x9d199062b7bbb3a8},
    };
    char p[64];
    for (int i = 0; i < 64; i++)
        p[i] = (char)i;
    str_hash_seed(0x0706050403020100, 0x0f0e0d0c0b0a0908);
    for (size_t i = 0; i < COUNT(sip13); i++)
        assert_true(str_hash(str_mem(p, sip13[i].n)) == sip13[i].h);
    uint64_t h = str_hash(S("Hello"));
    assert_true(str_ihash(S("Hello")) == str_ihash(S("hELLO")) && str_ihash(S("hello")) == str_hash(S("hello")));
    str_hash_seed(1, 2);
    assert_true(str_hash(S("Hello")) != h);
    assert_true(str_hash_stable(S("")) == 0xcbf29ce484222325 && str_hash_stable(S("foobar")) == 0x85944171f73967e8);
}

static void test_to_c(void **state)
{
    (void)state;
    char d[4];
    assert_true(str_to_c(S("abc"), d, sizeof d));
    assert_string_equal(d, "abc");
    assert_false(str_to_c(S("abcd"), d, sizeof d));
    assert_string_equal(d, "");
    assert_false(str_to_c(S("a\0b"), d, sizeof d));
    assert_true(str_to_c((str){NULL, 0}, d, sizeof d));
    assert_false(str_to_c(S(""), d, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_affixes), cmocka_unit_test(test_find),
        cmocka_unit_test(test_trim),    cmocka_unit_test(test_cut),     cmocka_unit_test(test_hash),
        cmocka_unit_test(test_to_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
