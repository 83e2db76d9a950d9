/* Bounded bytes: growth, the limit and one beyond it, stored numbers and the cursor over them. */
#include "base/buf.h"
#include "base/test.h"

static void test_limit(void **state)
{
    (void)state;
    struct buf b;
    for (int fixed = 0; fixed < 2; fixed++) {
        char mem[100];
        if (fixed)
            buf_init_fixed(&b, mem, sizeof mem);
        else
            buf_init(&b, 100);
        for (int i = 0; i < 100; i++)
            buf_add_char(&b, (char)i);
        assert_int_equal(b.e, OK);
        assert_int_equal(b.n, 100);
        buf_add(&b, S(""));
        assert_int_equal(b.e, OK);
        buf_add_char(&b, 'x');
        assert_int_equal(b.e, E_LIMIT);
        buf_drop(&b, 50);
        buf_add_char(&b, 'x'); /* the error stays */
        assert_int_equal(b.n, 50);
        assert_int_equal(b.p[0], 50);
        buf_clear(&b);
        buf_add(&b, S("again"));
        assert_str(buf_str(&b), "again");
        assert_null(buf_room(&b, SIZE_MAX));
        assert_int_equal(b.e, E_LIMIT);
        buf_free(&b);
        assert_null(b.p);
        buf_free(&b);
    }
    buf_free(NULL);
}

static void test_text(void **state)
{
    (void)state;
    struct buf b;
    char big[600];
    memset(big, 'y', sizeof big - 1);
    big[599] = 0;
    buf_init(&b, 1000);
    buf_add_u64(&b, 0);
    buf_add_u64(&b, UINT64_MAX);
    buf_printf(&b, "-%s-%d", "x", -5);
    assert_str(buf_str(&b), "018446744073709551615-x--5");
    buf_clear(&b);
    buf_add_quoted(&b, S("a \"b\" \\"));
    buf_add_quoted(&b, S(""));
    assert_str(buf_str(&b), "\"a \\\"b\\\" \\\\\"\"\"");
    buf_clear(&b);
    buf_printf(&b, "%s%s", big, "!");
    assert_int_equal(b.n, 600);
    assert_int_equal(b.p[599], '!');
    buf_printf(&b, "%s", big);
    assert_int_equal(b.e, E_LIMIT);
    assert_int_equal(b.n, 600);
    buf_drop(&b, 9999);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void test_stored(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_put_u8(&b, 0xfe);
    buf_put_u16(&b, 0xfedc);
    buf_put_u32(&b, 0xfedcba98);
    buf_put_u64(&b, 0xfedcba9876543210);
    buf_put_str16(&b, S("sixteen"));
    buf_put_str32(&b, S(""));
    assert_memory_equal(b.p, "\xfe\xdc\xfe\x98\xba\xdc\xfe\x10\x32", 9);
    struct cur c = cur_of(buf_str(&b));
    assert_int_equal(cur_u8(&c), 0xfe);
    assert_int_equal(cur_u16(&c), 0xfedc);
    assert_int_equal(cur_u32(&c), 0xfedcba98);
    assert_true(cur_u64(&c) == 0xfedcba9876543210);
    assert_str(cur_str16(&c), "sixteen");
    assert_str(cur_str32(&c), "");
    assert_false(c.bad);
    assert_int_equal(cur_u8(&c), 0);
    assert_true(c.bad);
    for (size_t n = 0; n < b.n; n++) { /* every cut is noticed and reads nothing outside */
        char *copy = malloc(n ? n : 1);
        memcpy(copy, b.p, n);
        c = cur_of(str_mem(copy, n));
        cur_u8(&c), cur_u16(&c), cur_u32(&c), cur_u64(&c), cur_str16(&c), cur_str32(&c);
        assert_true(c.bad);
        free(copy);
    }
    static char big[65536];
    buf_clear(&b);
    buf_put_str16(&b, str_mem(big, 65535));
    assert_int_equal(b.e, OK);
    buf_put_str16(&b, str_mem(big, 65536));
    assert_int_equal(b.e, E_LIMIT);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
