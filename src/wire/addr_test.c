#include "wire/addr.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define D60 X60 "."
#define RCPT ADDR_F_POSTMASTER
#define UTF ADDR_F_UTF8

static const struct {
    const char *in;
    unsigned flags;
    enum fault fault;
    const char *print, *local, *rest; /* on success */
} paths[] = {
    {"<a@b>", 0, FAULT_NONE, "a@b", "a", ""},
    {"<a@b> SIZE=1", 0, FAULT_NONE, "a@b", "a", " SIZE=1"},
    {"<User.Name+tag@Example.TEST>", 0, FAULT_NONE, "User.Name+tag@Example.TEST", "User.Name+tag", ""},
    {"<!#$%&'*+-/=?^_`{|}~@b>", 0, FAULT_NONE, "!#$%&'*+-/=?^_`{|}~@b", "!#$%&'*+-/=?^_`{|}~", ""},
    {"<>", ADDR_F_NULL, FAULT_NONE, "", "", ""},
    {"<> BODY=7BIT", ADDR_F_NULL, FAULT_NONE, "", "", " BODY=7BIT"},
    {"<>", RCPT, FAULT_ADDR_NULL, 0, 0, 0},
    {"< >", ADDR_F_NULL, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<postmaster>", RCPT, FAULT_NONE, "postmaster", "postmaster", ""},
    {"<PostMaster>", RCPT, FAULT_NONE, "PostMaster", "PostMaster", ""},
    {"<postmaster>", ADDR_F_NULL, FAULT_ADDR_NODOMAIN, 0, 0, 0},
    {"<user>", RCPT, FAULT_ADDR_NODOMAIN, 0, 0, 0},
    {"<user>", ADDR_F_LOCAL, FAULT_NONE, "user", "user", ""},
    {"<\"a@b\">", ADDR_F_LOCAL, FAULT_ADDR_NODOMAIN, 0, 0, 0},
    {"", 0, FAULT_ADDR_BRACKET, 0, 0, 0},
    {"a@b", 0, FAULT_ADDR_BRACKET, 0, 0, 0},
    {"<a@b", 0, FAULT_ADDR_BRACKET, 0, 0, 0},
    {"a@b>", 0, FAULT_ADDR_BRACKET, 0, 0, 0},
    {"<<a@b>>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a@@b>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<@b>", 0, FAULT_ADDR_ROUTE, 0, 0, 0},
    {"<a@>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<@>", 0, FAULT_ADDR_ROUTE, 0, 0, 0},
    {"<a b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a@b c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a@b >", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"< a@b>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<.a@b>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a.@b>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a..b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a,b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a;b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a(b)@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a\\b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a:b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a\tb@c>", 0, FAULT_ADDR_CONTROL, 0, 0, 0},
    {"<a\x7f@c>", 0, FAULT_ADDR_CONTROL, 0, 0, 0},
    {"<a@b\rc>", 0, FAULT_ADDR_CONTROL, 0, 0, 0},
    /* domains */
    {"<a@b.>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@.b>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@b..c>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@-b>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@b->", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@b-.c>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@b--c.d>", 0, FAULT_NONE, "a@b--c.d", "a", ""},
    {"<a@b_c>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@b_c>", ADDR_F_UNDERSCORE, FAULT_NONE, "a@b_c", "a", ""},
    {"<a@b!c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a@1.2.3.4>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@4.test>", 0, FAULT_NONE, "a@4.test", "a", ""},
    {"<a@" X60 "xxx.t>", 0, FAULT_NONE, "a@" X60 "xxx.t", "a", ""},
    {"<a@" X60 "xxxx.t>", 0, FAULT_ADDR_DOMAIN, 0, 0, 0},
    {"<a@" D60 D60 D60 D60 "abcdefgh>", 0, FAULT_NONE, "a@" D60 D60 D60 D60 "abcdefgh", "a", ""}, /* 256 octets */
    {"<ab@" D60 D60 D60 D60 "abcdefgh>", 0, FAULT_ADDR_LONG, 0, 0, 0},
    {"<a@" D60 D60 D60 D60 X10 "abcd>", 0, FAULT_ADDR_LONG, 0, 0, 0},
    {"<" X60 "xxxx@b>", 0, FAULT_NONE, X60 "xxxx@b", X60 "xxxx", ""},
    {"<" X60 "xxxxx@b>", 0, FAULT_ADDR_LONG, 0, 0, 0},
    /* literals */
    {"<a@[1.2.3.4]>", 0, FAULT_NONE, "a@[1.2.3.4]", "a", ""},
    {"<a@[IPv6:::1]>", 0, FAULT_NONE, "a@[IPv6:::1]", "a", ""},
    {"<a@[ipv6:2001:db8::1]>", 0, FAULT_NONE, "a@[ipv6:2001:db8::1]", "a", ""},
    {"<a@[IPv6:::ffff:1.2.3.4]>", 0, FAULT_NONE, "a@[IPv6:::ffff:1.2.3.4]", "a", ""},
    {"<a@[1.2.3]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[1.2.3.256]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[::1]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[IPv6:1.2.3.4]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[IPv6:1::2::3]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[1.2.3.4>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[1.2.3.4]x>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a@[tag:text]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    {"<a@[b.test]>", 0, FAULT_ADDR_LITERAL, 0, 0, 0},
    /* quoted local parts */
    {"<\"a b\"@c>", 0, FAULT_NONE, "\"a b\"@c", "a b", ""},
    {"<\"a\"@c>", 0, FAULT_NONE, "a@c", "a", ""},
    {"<\"a.b\"@c>", 0, FAULT_NONE, "a.b@c", "a.b", ""},
    {"<\"a..b\"@c>", 0, FAULT_NONE, "\"a..b\"@c", "a..b", ""},
    {"<\"\"@c>", 0, FAULT_NONE, "\"\"@c", "", ""},
    {"<\"a@b\"@c>", 0, FAULT_NONE, "\"a@b\"@c", "a@b", ""},
    {"<\"a>b\"@c> X", 0, FAULT_NONE, "\"a>b\"@c", "a>b", " X"},
    {"<\"a\\\"b\"@c>", 0, FAULT_NONE, "\"a\\\"b\"@c", "a\"b", ""},
    {"<\"a\\\\\"@c>", 0, FAULT_NONE, "\"a\\\\\"@c", "a\\", ""},
    {"<\"\\a\\b\"@c>", 0, FAULT_NONE, "ab@c", "ab", ""},
    {"<\"a@c>", 0, FAULT_ADDR_BRACKET, 0, 0, 0},
    {"<\"a\\\"@c>", 0, FAULT_ADDR_BRACKET, 0, 0, 0},
    {"<\"a\"b@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<a\"b\"@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<\"a\tb\"@c>", 0, FAULT_ADDR_CONTROL, 0, 0, 0},
    {"<\"a\\\nb\"@c>", 0, FAULT_ADDR_CONTROL, 0, 0, 0},
    {"<\"a\".\"b\"@c>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<\"" X60 "xx\"@b>", 0, FAULT_NONE, X60 "xx@b", X60 "xx", ""},
    {"<\"" X60 "xxx\"@b>", 0, FAULT_ADDR_LONG, 0, 0, 0},
    /* source routes */
    {"<@a,@b.c:d@e>", 0, FAULT_NONE, "d@e", "d", ""},
    {"<@a:d@e>", 0, FAULT_NONE, "d@e", "d", ""},
    {"<@[1.2.3.4]:d@e>", 0, FAULT_NONE, "d@e", "d", ""},
    {"<@a,b:d@e>", 0, FAULT_ADDR_ROUTE, 0, 0, 0},
    {"<@a:@b:d@e>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<@a,:d@e>", 0, FAULT_ADDR_ROUTE, 0, 0, 0},
    {"<@a d@e>", 0, FAULT_ADDR_ROUTE, 0, 0, 0},
    {"<@a:>", 0, FAULT_ADDR_SYNTAX, 0, 0, 0},
    /* 8-bit and UTF-8 */
    {"<\xc3\xa9@b>", 0, FAULT_ADDR_8BIT, 0, 0, 0},
    {"<a@b\xc3\xa9>", 0, FAULT_ADDR_8BIT, 0, 0, 0},
    {"<\xc3\xa9@b>", UTF, FAULT_NONE, "\xc3\xa9@b", "\xc3\xa9", ""},
    {"<a@b\xc3\xa9.c>", UTF, FAULT_NONE, "a@b\xc3\xa9.c", "a", ""},
    {"<a@b\xe2\x80\xa8.c>", UTF, FAULT_ADDR_DOMAIN, 0, 0, 0}, /* a line separator is in no U-label */
    {"<\"\xc3\xa9 x\"@b>", UTF, FAULT_NONE, "\"\xc3\xa9 x\"@b", "\xc3\xa9 x", ""},
    {"<\"\\\xc3\xa9\"@b>", UTF, FAULT_ADDR_SYNTAX, 0, 0, 0},
    {"<\xe9@b>", UTF, FAULT_ADDR_UTF8, 0, 0, 0},
    {"<\xc0\xaf@b>", UTF, FAULT_ADDR_UTF8, 0, 0, 0},
    {"<\xed\xa0\x80@b>", UTF, FAULT_ADDR_UTF8, 0, 0, 0},
    {"<\xc2\x85@b>", UTF, FAULT_ADDR_UTF8, 0, 0, 0},
    {"<a\xc3\xa9@b", UTF, FAULT_ADDR_BRACKET, 0, 0, 0},
};

static void path(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct arena mem;
        struct addr a, back, copy;
        str rest = str_c(paths[i].in);
        arena_init(&mem, 256, 4096);
        enum fault f = addr_path(&rest, paths[i].flags, &mem, &a);
        if (f != paths[i].fault)
            fail_msg("%s: %s", paths[i].in, fault_name(f));
        if (f == FAULT_NONE) {
            char text[ADDR_TEXT_MAX];
            struct buf out;
            buf_init_fixed(&out, text, sizeof text);
            addr_print(&out, &a);
            if (!str_eq(buf_str(&out), str_c(paths[i].print)) || !str_eq(a.local, str_c(paths[i].local)) ||
                !str_eq(rest, str_c(paths[i].rest)))
                fail_msg("%s: '%.*s' rest '%.*s'", paths[i].in, (int)out.n, out.p, (int)rest.n, rest.p);
            assert_int_equal(addr_parse(buf_str(&out), paths[i].flags, &mem, &back), FAULT_NONE);
            assert_true(addr_eq(&a, &back));
            assert_true(addr_copy(&mem, &a, &copy) && addr_eq(&a, &copy));
            assert_int_equal(a.utf8, !text_ascii(str_c(paths[i].print)));
        }
        arena_free(&mem);
    }
}

static void nul_octet(void **state)
{
    (void)state;
    struct addr a;
    str s = S("<a\0b@c>");
    assert_int_equal(addr_path(&s, 0, NULL, &a), FAULT_ADDR_CONTROL);
    assert_int_equal(addr_parse(S("a@b\0"), 0, NULL, &a), FAULT_ADDR_CONTROL);
}

static const struct {
    const char *in;
    bool fold;
    const char *key;
} keys[] = {
    {"User@Example.TEST", false, "User@example.test"},
    {"User@Example.TEST", true, "user@example.test"},
    {"\"A b\"@C", false, "A b@c"},
    {"PostMaster", false, "postmaster"},
    {"Bob", false, "Bob"},
    {"a@[IPv6:2001:DB8::1]", false, "a@[ipv6:2001:db8::1]"},
    {"", false, ""},
};

static void key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct addr a;
        char mem[400];
        struct buf out;
        buf_init_fixed(&out, mem, sizeof mem);
        assert_int_equal(addr_parse(str_c(keys[i].in), ADDR_F_LOCAL | ADDR_F_NULL, NULL, &a), FAULT_NONE);
        addr_key(&out, &a, keys[i].fold);
        if (!str_eq(buf_str(&out), str_c(keys[i].key)))
            fail_msg("%s: %.*s", keys[i].in, (int)out.n, out.p);
    }
}

static void equality(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool eq;
    } cases[] = {
        {"a@B.c", "a@b.C", true},           {"a@b", "A@b", false}, {"\"a\"@b", "a@b", true}, {"a@b", "a@c", false},
        {"POSTMASTER", "postmaster", true}, {"Bob", "bob", false}, {"", "", true},           {"", "a@b", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a, b;
        addr_parse(str_c(cases[i].a), ADDR_F_LOCAL | ADDR_F_NULL, NULL, &a);
        addr_parse(str_c(cases[i].b), ADDR_F_LOCAL | ADDR_F_NULL, NULL, &b);
        if (addr_eq(&a, &b) != cases[i].eq)
            fail_msg("%s %s", cases[i].a, cases[i].b);
    }
}

static void detail(void **state)
{
    (void)state;
    str base, d;
    assert_true(addr_detail(S("a+b+c"), S("+-"), &base, &d) && str_eq(base, S("a")) && str_eq(d, S("b+c")));
    assert_true(addr_detail(S("a-b"), S("+-"), &base, &d) && str_eq(d, S("b")));
    assert_true(addr_detail(S("a+"), S("+"), &base, &d) && str_eq(base, S("a")) && d.n == 0);
    assert_false(addr_detail(S("+a"), S("+"), &base, &d));
    assert_true(str_eq(base, S("+a")) && d.n == 0);
    assert_false(addr_detail(S("ab"), S(""), &base, &d));
}

static const struct {
    const char *in;
    bool strict, lenient;
} helos[] = {
    {"mx.example.test", true, true},
    {"localhost", true, true},
    {"[127.0.0.1]", true, true},
    {"[IPv6:::1]", true, true},
    {"[::1]", false, true},
    {"1.2.3.4", false, true},
    {"under_score", false, true},
    {"a.b.", false, true},
    {"", false, false},
    {"a b", false, false},
    {"[1.2.3]", false, false},
    {"[", false, false},
    {"[]", false, false},
    {"-a", false, false},
    {"a..b", false, false},
    {"b\xc3\xa9", false, false},
    {".", false, false},
    {"a@b", false, false},
    {"<a>", false, false},
    {"[foo]", false, false},
};

static void helo(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof helos / sizeof *helos; i++) {
        str name;
        bool strict = helo_parse(str_c(helos[i].in), false, &name) == FAULT_NONE;
        bool lenient = helo_parse(str_c(helos[i].in), true, &name) == FAULT_NONE;
        if (strict != helos[i].strict || lenient != helos[i].lenient)
            fail_msg("%s: %d %d", helos[i].in, strict, lenient);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(path),     cmocka_unit_test(nul_octet), cmocka_unit_test(key),
                                       cmocka_unit_test(equality), cmocka_unit_test(detail),    cmocka_unit_test(helo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
