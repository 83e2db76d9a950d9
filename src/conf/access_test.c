#include "conf/access.c"
#include "base/test.h"

static struct access_set *made(const char *const *v)
{
    struct access_set *a = access_new();
    for (; *v; v++) {
        const char *why = access_add(a, str_c(*v));
        if (why)
            print_error("%s: expected %s\n", *v, why);
        assert_null(why);
    }
    assert_true(access_done(a));
    return a;
}

static bool ip_in(const struct access_set *a, const char *text)
{
    struct ip ip;
    assert_true(ip_parse(str_c(text), &ip));
    return access_has_ip(a, &ip);
}

static void networks(void **state)
{
    (void)state;
    struct access_set *a = made((const char *const[]){"192.0.2.0/24", "10.0.0.0/8", "10.1.0.0/16", "198.51.100.7",
                                                      "2001:db8::/32", "::1", "0.0.0.0/32", "255.255.255.255", NULL});
    static const char *const yes[] = {"192.0.2.0",
                                      "192.0.2.255",
                                      "10.255.255.255",
                                      "10.0.0.0",
                                      "198.51.100.7",
                                      "2001:db8::",
                                      "::1",
                                      "0.0.0.0",
                                      "10.1.2.3",
                                      "255.255.255.255",
                                      "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"};
    static const char *const no[] = {"192.0.1.255",  "192.0.3.0", "9.255.255.255", "11.0.0.0", "198.51.100.6",
                                     "198.51.100.8", "::",        "::2",           "0.0.0.1",  "255.255.255.254",
                                     "2001:db9::"};
    for (size_t i = 0; i < COUNT(yes); i++)
        assert_true(ip_in(a, yes[i]));
    for (size_t i = 0; i < COUNT(no); i++)
        assert_false(ip_in(a, no[i]));
    struct ip none = {0};
    assert_false(access_has_ip(a, &none));
    access_free(&a);
    a = made((const char *const[]){"0.0.0.0/0", NULL});
    assert_true(ip_in(a, "1.2.3.4"));
    assert_false(ip_in(a, "::1"));
    access_free(&a);
}

static void names(void **state)
{
    (void)state;
    struct access_set *a =
        made((const char *const[]){"Info@Example.org", "@whole.test", "@.below.test", "exact.test", ".sub.test",
                                   "b\xc3\xbc.test", "*@dsl-*.test", "evil*", "<>", "free text.exe", NULL});
    static const struct {
        const char *address;
        bool in;
    } v[] = {{"info@example.org", true},
             {"INFO@EXAMPLE.ORG", true},
             {"other@example.org", false},
             {"x@whole.test", true},
             {"x@a.whole.test", false},
             {"x@a.below.test", true},
             {"x@below.test", false},
             {"x@exact.test", true},
             {"x@a.exact.test", false},
             {"x@a.b.sub.test", true},
             {"x@sub.test", false},
             {"x@xn--b-eha.test", true},
             {"x@dsl-17.test", true},
             {"x@adsl.test", false},
             {"x@evil.test", true},
             {"evil@good.test", true},
             {"", true},
             {"<>", true}};
    for (size_t i = 0; i < COUNT(v); i++) {
        assert_int_equal(access_has_address(a, str_c(v[i].address)), v[i].in);
    }
    assert_true(access_has_domain(a, S("EXACT.test")));
    assert_true(access_has_domain(a, S("a.sub.test")));
    assert_false(access_has_domain(a, S("sub.test")));
    assert_false(access_has_domain(a, S("whole.test")));
    assert_false(access_has_domain(a, S("")));
    assert_true(access_has_text(a, S("Free Text.exe")));
    assert_false(access_has_text(a, S("free")));
    access_free(&a);
}

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } v[] = {{"*", "", true},
             {"", "", true},
             {"", "a", false},
             {"a*b", "ab", true},
             {"a*b", "axxb", true},
             {"a*b", "axxbc", false},
             {"*a*b*", "xaxbx", true},
             {"?", "", false},
             {"?b", "AB", true},
             {"**", "x", true},
             {"*.exe", "a.EXE", true},
             {"*.exe", "a.exe.txt", false},
             {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};
    for (size_t i = 0; i < COUNT(v); i++)
        assert_int_equal(access_glob(str_c(v[i].pattern), str_c(v[i].text)), v[i].fits);
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *why;
    } v[] = {{"", "an entry of 1 to 320 octets"},
             {"10.1.2.3/8", "a network without bits behind its prefix, such as 192.0.2.0/24"},
             {"2001:db8::1/32", "a network without bits behind its prefix, such as 192.0.2.0/24"},
             {"x@", "a domain behind the \"@\""},
             {"@.", "a domain behind the \"@\""}};
    struct access_set *a = access_new();
    for (size_t i = 0; i < COUNT(v); i++) {
        const char *why = access_add(a, str_c(v[i].entry));
        assert_non_null(why);
        assert_string_equal(why, v[i].why);
    }
    char text[ACCESS_ENTRY_MAX + 1];
    memset(text, 'a', sizeof text);
    assert_null(access_add(a, str_mem(text, ACCESS_ENTRY_MAX)));
    assert_non_null(access_add(a, str_mem(text, ACCESS_ENTRY_MAX + 1)));
    for (int i = 0; i < ACCESS_PATTERNS; i++)
        assert_null(access_add(a, S("a*")));
    assert_string_equal(access_add(a, S("a*")), "at most 10000 patterns");
    access_free(&a);
    assert_null(a);
}

/* A million entries: found, and what is not in it is not. */
static void million(void **state)
{
    (void)state;
    enum { N = 1000000 };
    struct access_set *a = access_new();
    char text[40];
    for (int i = 0; i < N; i++) {
        int n = i % 2 ? snprintf(text, sizeof text, "user%d@example%d.test", i, i % 1000)
                      : snprintf(text, sizeof text, "%d.%d.%d.%d", 11 + (i >> 20), i >> 12 & 255, i >> 4 & 255,
                                 i % 16 * 16);
        assert_null(access_add(a, str_mem(text, (size_t)n)));
    }
    assert_true(access_done(a));
    assert_int_equal(access_count(a), N);
    for (int i = 1; i < N; i += 9998) {
        int n = snprintf(text, sizeof text, "user%d@example%d.test", i, i % 1000);
        assert_true(access_has_address(a, str_mem(text, (size_t)n)));
        n = snprintf(text, sizeof text, "user%d@example%d.test", i + 1, i % 1000);
        assert_false(access_has_address(a, str_mem(text, (size_t)n)));
    }
    assert_true(ip_in(a, "11.0.0.32"));
    assert_false(ip_in(a, "11.0.0.33"));
    access_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks), cmocka_unit_test(names), cmocka_unit_test(globs),
                                       cmocka_unit_test(faults), cmocka_unit_test(million)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
