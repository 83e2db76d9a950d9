#include "wire/idn.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *in, *ascii, *back; /* ascii NULL: refused */
} cases[] = {
    {"example.test", "example.test", "example.test"},
    {"EXAMPLE.Test", "example.test", "example.test"},
    {"b\xc3\xbc"
     "cher.test",
     "xn--bcher-kva.test",
     "b\xc3\xbc"
     "cher.test"},
    {"B\xc3\x9c"
     "CHER.test",
     "xn--bcher-kva.test",
     "b\xc3\xbc"
     "cher.test"},
    {"fa\xc3\x9f.test", "xn--fa-hia.test", "fa\xc3\x9f.test"},             /* non-transitional: sharp s stays */
    {"\xe4\xbe\x8b\xe3\x80\x82test", "xn--fsq.test", "\xe4\xbe\x8b.test"}, /* ideographic full stop */
    {"", "", ""},
    {"under_score.test", "under_score.test", "under_score.test"},
    {"\xff.test", NULL, NULL},
    {"\xe2\x80\xae.test", NULL, NULL},          /* right-to-left override */
    {"xn--a.test", "xn--a.test", "xn--a.test"}, /* not punycode: stays as it is */
};

static void both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a, 512, 65536);
        str out = {0};
        err e = idn_to_ascii(str_c(cases[i].in), &a, &out);
        if (!cases[i].ascii) {
            assert_int_equal(e, E_SYNTAX);
        } else {
            assert_int_equal(e, OK);
            assert_string_equal(out.p, cases[i].ascii);
            assert_int_equal(idn_to_unicode(out, &a, &out), OK);
            assert_string_equal(out.p, cases[i].back);
        }
        arena_free(&a);
    }
}

static void bounds(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 512, 65536);
    str out;
    static char big[2048];
    memset(big, 'a', sizeof big);
    memcpy(big, "\xc3\xbc", 2);
    assert_int_equal(idn_to_ascii((str){big, sizeof big}, &a, &out), E_SYNTAX);
    assert_int_equal(idn_to_ascii((str){big, 80}, &a, &out), E_SYNTAX);
    assert_int_equal(idn_to_ascii((str)S_INIT("\xc3\xbc\0x"), &a, &out), E_SYNTAX);
    assert_int_equal(idn_to_unicode((str)S_INIT("xn--a\0x"), &a, &out), E_SYNTAX);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
