/* base64 (RFC 4648 10), hex, and CRC32C by its published vectors (RFC 3720 B.4) in both forms. */
#include "base/codec.c"
#include "base/test.h"

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        str plain;
        const char *coded;
    } good[] = {
        {S_INIT(""), ""},
        {S_INIT("f"), "Zg=="},
        {S_INIT("fo"), "Zm8="},
        {S_INIT("foo"), "Zm9v"},
        {S_INIT("foob"), "Zm9vYg=="},
        {S_INIT("fooba"), "Zm9vYmE="},
        {S_INIT("foobar"), "Zm9vYmFy"},
        {S_INIT("\0\xff\xfe"), "AP/+"},
        {S_INIT("\0user\0pw"), "AHVzZXIAcHc="},
    };
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",  "Zh==",   "Zm9=",         "====", "=AAA",
                                      "Z===", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm9v\r\n\r\n", "Zm9-", "Zm9_"};
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(good); i++) {
        buf_clear(&b);
        base64_encode(&b, good[i].plain);
        assert_str(buf_str(&b), good[i].coded);
        buf_clear(&b);
        assert_int_equal(base64_decode(&b, str_c(good[i].coded)), OK);
        assert_true(str_eq(buf_str(&b), good[i].plain));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        buf_clear(&b);
        assert_int_equal(base64_decode(&b, str_c(bad[i])), E_SYNTAX);
    }
    buf_free(&b);
    buf_init(&b, 2);
    assert_int_equal(base64_decode(&b, S("Zm9v")), E_LIMIT);
    buf_free(&b);
}

static void test_hex(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    hex_encode(&b, S("\0\x1f\xff"));
    assert_str(buf_str(&b), "001fff");
    buf_clear(&b);
    assert_int_equal(hex_decode(&b, S("00aBFf")), OK);
    assert_true(str_eq(buf_str(&b), S("\0\xab\xff")));
    assert_int_equal(hex_decode(&b, S("0")), E_SYNTAX);
    assert_int_equal(hex_decode(&b, S("0g")), E_SYNTAX);
    assert_int_equal(hex_decode(&b, S("@0")), E_SYNTAX);
    buf_free(&b);
}

static void test_crc(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    const struct {
        const void *p;
        size_t n;
        uint32_t crc;
    } cases[] = {
        {"123456789", 9, 0xe3069283}, {zeros, 32, 0x8a9136aa}, {ones, 32, 0x62a8ab43},
        {up, 32, 0x46dd794e},         {down, 32, 0x113fdb5c},  {"", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const unsigned char *p = cases[i].p;
        assert_int_equal(crc32c(0, p, cases[i].n), cases[i].crc);
        assert_int_equal(~crc_soft(~0u, p, cases[i].n), cases[i].crc);
        for (size_t cut = 0; cut <= cases[i].n; cut++)
            assert_int_equal(crc32c(crc32c(0, p, cut), p + cut, cases[i].n - cut), cases[i].crc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_crc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
