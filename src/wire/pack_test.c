/* What is packed comes back; bombs and broken archives end where they should. */
#include "base/test.h"
#include "wire/pack.c"

static void there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 1000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct buf in, packed, out;
        buf_init(&in, 1 << 20);
        for (size_t k = 0; k < sizes[i]; k++)
            buf_add_char(&in, (char)(k * 2654435761u >> 24));
        buf_init(&packed, 2 << 20);
        buf_init(&out, sizes[i]); /* exactly the limit */
        assert_int_equal(pack_gzip(buf_str(&in), &packed), OK);
        assert_int_equal(pack_open(buf_str(&packed), &out), OK);
        assert_true(str_eq(buf_str(&in), buf_str(&out)));
        if (sizes[i]) { /* one octet less than there is */
            struct buf small;
            buf_init(&small, sizes[i] - 1);
            assert_int_equal(pack_open(buf_str(&packed), &small), E_LIMIT);
            assert_true(small.n <= small.max);
            buf_free(&small);
        }
        buf_free(&in);
        buf_free(&packed);
        buf_free(&out);
    }
}

static void bomb(void **state)
{
    (void)state;
    struct buf in, packed, twice, out;
    buf_init(&in, 64 << 20);
    memset(buf_room(&in, 64 << 20), 'a', 64 << 20);
    in.n = 64 << 20;
    buf_init(&packed, 1 << 20);
    buf_init(&twice, 1 << 20);
    assert_int_equal(pack_gzip(buf_str(&in), &packed), OK);
    buf_init(&out, 1 << 20);
    assert_int_equal(pack_open(buf_str(&packed), &out), E_LIMIT);
    assert_true(out.n <= 1 << 20);
    buf_clear(&out);
    assert_int_equal(pack_gzip(buf_str(&packed), &twice), OK); /* only one layer is taken off */
    assert_int_equal(pack_open(buf_str(&twice), &out), OK);
    assert_true(str_eq(buf_str(&out), buf_str(&packed)));
    buf_free(&in);
    buf_free(&packed);
    buf_free(&twice);
    buf_free(&out);
}

/* A local header, and behind it what a stored entry holds. */
static void entry(struct buf *out, unsigned flags, unsigned method, const char *name, str data)
{
    buf_add(out, S("PK\3\4"));
    buf_put_u16(out, 20);
    buf_put_u16(out, (uint16_t)flags);
    buf_put_u16(out, (uint16_t)method);
    buf_put_u32(out, 0); /* time and date */
    buf_put_u32(out, 0); /* CRC */
    buf_put_u32(out, (uint32_t)data.n);
    buf_put_u32(out, (uint32_t)data.n);
    buf_put_u16(out, (uint16_t)strlen(name));
    buf_put_u16(out, 0);
    buf_add_c(out, name);
    buf_add(out, data);
}

static void zips(void **state)
{
    (void)state;
    struct buf z, out;
    buf_init(&z, 1 << 20);
    buf_init(&out, 1000);
    entry(&z, 0, 0, "folder/", S(""));
    entry(&z, 0, 0, "folder/r.xml", S("<feedback/>"));
    assert_int_equal(pack_open(buf_str(&z), &out), OK);
    assert_str(buf_str(&out), "<feedback/>");
    for (size_t n = 4; n < z.n; n++) { /* any cut */
        buf_clear(&out);
        assert_int_equal(pack_open(str_sub(buf_str(&z), 0, n), &out), E_SYNTAX);
    }
    buf_clear(&z);
    buf_clear(&out);
    entry(&z, ZIP_ENCRYPTED, 0, "r.xml", S("secret"));
    assert_int_equal(pack_open(buf_str(&z), &out), E_SYNTAX);
    buf_clear(&z);
    entry(&z, 0, 12, "r.xml", S("bzip2"));
    assert_int_equal(pack_open(buf_str(&z), &out), E_SYNTAX);
    buf_clear(&z);
    for (int i = 0; i < 100; i++)
        entry(&z, 0, 0, "folder/", S(""));
    assert_int_equal(pack_open(buf_str(&z), &out), E_SYNTAX);
    buf_free(&z);
    buf_free(&out);
}

static void plain(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 5);
    assert_int_equal(pack_open(S("hello"), &out), OK);
    assert_str(buf_str(&out), "hello");
    buf_clear(&out);
    assert_int_equal(pack_open(S("hello!"), &out), E_LIMIT);
    buf_clear(&out);
    assert_int_equal(pack_open(S("\x1f\x8b garbage"), &out), E_SYNTAX);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(bomb), cmocka_unit_test(zips),
                                       cmocka_unit_test(plain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
