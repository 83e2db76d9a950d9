#include "base/test.h"
#include "wire/tags.c"

static const struct {
    const char *in;
    err e;
    const char *out; /* "name=value|" */
} lists[] = {
    {"a=1", OK, "a=1|"},
    {"a=1;", OK, "a=1|"},
    {"a=1; \r\n ", OK, "a=1|"},
    {"a=1;b=2", OK, "a=1|b=2|"},
    {" a = 1 ;\r\n\tb = x y ; ", OK, "a=1|b=x y|"},
    {"a=", OK, "a=|"},
    {"a=1=2", OK, "a=1=2|"},
    {"a_1=x; A_1=y", OK, "a_1=x|A_1=y|"},
    {"i=\xc3\xbc@x", OK, "i=\xc3\xbc@x|"},
    {"", E_SYNTAX, ""},
    {";", E_SYNTAX, ""},
    {"a", E_SYNTAX, ""},
    {"a=1;;", E_SYNTAX, ""},
    {"a=1;;b=2", E_SYNTAX, ""},
    {";a=1", E_SYNTAX, ""},
    {"a=1;b", E_SYNTAX, ""},
    {"a=1;a=2", E_SYNTAX, ""},
    {"=1", E_SYNTAX, ""},
    {"1a=1", E_SYNTAX, ""},
    {"a-b=1", E_SYNTAX, ""},
    {"a b=1", E_SYNTAX, ""},
    {"a=\x01", E_SYNTAX, ""},
    {"a=\x7f", E_SYNTAX, ""},
    {"a=\xff", E_SYNTAX, ""},
};

static void parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct tags t;
        char got[200] = "";
        assert_int_equal(tags_parse(str_c(lists[i].in), &t), lists[i].e);
        for (size_t k = 0; !lists[i].e && k < t.n; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), STR_FMT "=" STR_FMT "|", STR_ARG(t.v[k].name),
                     STR_ARG(t.v[k].value));
        assert_string_equal(got, lists[i].out);
    }
}

static void limit(void **state)
{
    (void)state;
    char mem[TAGS_MAX * 8 + 16];
    struct tags t;
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    for (int i = 0; i < TAGS_MAX; i++)
        buf_printf(&b, "t%d=;", i);
    assert_int_equal(tags_parse(buf_str(&b), &t), OK);
    buf_add(&b, S("x="));
    assert_int_equal(tags_parse(buf_str(&b), &t), E_LIMIT);
}

static const struct {
    const char *in;
    err e;
    const char *out;
} codes[] = {
    {"YQ==", OK, "a"},      {"YQ", OK, "a"},        {" Y\r\n Q\t= = ", OK, "a"},
    {"YWI=", OK, "ab"},     {"YWI", OK, "ab"},      {"YWJj", OK, "abc"},
    {"", OK, ""},           {"Y", E_SYNTAX, ""},    {"YQ==YQ==", E_SYNTAX, ""},
    {"YQ=", OK, "a"},       {"YR==", E_SYNTAX, ""}, /* bits that mean nothing */
    {"Y*==", E_SYNTAX, ""}, {"====", E_SYNTAX, ""},
};

static void base64(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        char mem[64];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        assert_int_equal(tags_base64(str_c(codes[i].in), &b), codes[i].e);
        assert_str(buf_str(&b), codes[i].out);
    }
}

static void unquote(void **state)
{
    static const struct {
        const char *in;
        err e;
        const char *out;
    } v[] = {{"a=20b", OK, "a b"},  {"a\r\n b", OK, "ab"},  {"=3D", OK, "="},
             {"a=2", E_SYNTAX, ""}, {"a=zz", E_SYNTAX, ""}, {"a=3d", E_SYNTAX, ""}};
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        char mem[64];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        assert_int_equal(tags_unquote(str_c(v[i].in), &b), v[i].e);
        if (!v[i].e)
            assert_str(buf_str(&b), v[i].out);
    }
}

static void items(void **state)
{
    (void)state;
    str rest = S(" a :b:: c\r\n "), one;
    assert_true(tags_item(&rest, ':', &one));
    assert_str(one, "a");
    assert_true(tags_item(&rest, ':', &one));
    assert_str(one, "b");
    assert_true(tags_item(&rest, ':', &one));
    assert_str(one, "");
    assert_true(tags_item(&rest, ':', &one));
    assert_str(one, "c");
    assert_false(tags_item(&rest, ':', &one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parse), cmocka_unit_test(limit), cmocka_unit_test(base64),
                                       cmocka_unit_test(unquote), cmocka_unit_test(items)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
