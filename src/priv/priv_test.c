/* Secrets: a known MAC, verification, passwords by route, generations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/codec.h"
#include "priv/priv.h"

/* RFC 4231 4.3: test case 2 of HMAC-SHA256. */
static void test_srs(void **state)
{
    (void)state;
    unsigned char mac[PRIV_MAC_SIZE];
    char text[65] = "";
    struct buf hex;
    priv_end();
    assert_int_equal(priv_srs_mac(S("x"), mac), E_NOT_FOUND);
    assert_false(priv_srs_verify(S("x"), S("aaaa")));
    assert_int_equal(priv_setup(&(struct priv_secrets){.srs = S("Jefe")}), OK);
    str data = S("what do ya want for nothing?");
    assert_int_equal(priv_srs_mac(data, mac), OK);
    buf_init_fixed(&hex, text, 64);
    hex_encode(&hex, str_mem(mac, sizeof mac));
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    static const struct {
        size_t n;
        int flip;
        bool good;
    } cases[] = {{32, -1, true}, {8, -1, true}, {4, -1, true}, {3, -1, false},
                 {0, -1, false}, {8, 7, false}, {8, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char tag[PRIV_MAC_SIZE];
        memcpy(tag, mac, sizeof tag);
        if (cases[i].flip >= 0)
            tag[cases[i].flip] ^= 1;
        assert_int_equal(priv_srs_verify(data, str_mem(tag, cases[i].n)), cases[i].good);
    }
    char big[PRIV_TEXT_MAX + 1] = "";
    assert_int_equal(priv_srs_mac(str_mem(big, PRIV_TEXT_MAX), mac), OK);
    assert_int_equal(priv_srs_mac(str_mem(big, PRIV_TEXT_MAX + 1), mac), E_LIMIT);
    priv_end();
}

static void test_passwords(void **state)
{
    (void)state;
    struct priv_login v[] = {{S("*"), S("one")}, {S("example.test"), S("two")}, {S("none.test"), S("")}};
    assert_int_equal(priv_setup(&(struct priv_secrets){.logins = v, .nlogins = 3}), OK);
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(priv_password(S("example.test"), &b), OK);
    assert_true(str_eq(buf_str(&b), S("two")));
    assert_int_equal(priv_password(S("none.test"), &b), E_NOT_FOUND);
    assert_int_equal(priv_password(S("other.test"), &b), E_NOT_FOUND);
    char big[PRIV_SECRET_MAX + 1] = "";
    v[0].password = str_mem(big, sizeof big);
    assert_int_equal(priv_setup(&(struct priv_secrets){.logins = v, .nlogins = 1}), E_LIMIT);
    buf_clear(&b);
    assert_int_equal(priv_password(S("*"), &b), OK); /* the old generation still stands */
    assert_true(str_eq(buf_str(&b), S("one")));
    buf_free(&b);
    priv_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_srs), cmocka_unit_test(test_passwords)};
    return cmocka_run_group_tests_name("priv/priv", tests, NULL, NULL);
}
