/* Arenas: alignment, zeroing, the limit, reset and free. */
#include "base/arena.h"
#include "base/test.h"

static void test_alloc(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 128, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 300; n++) {
            unsigned char *p = arena_alloc(&a, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, n);
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    arena_free(&a);
    assert_null(a.head);
    arena_free(&a);
}

static void test_limit(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64, 1024);
    assert_non_null(arena_alloc(&a, 1024));
    assert_null(arena_alloc(&a, 1));
    assert_int_equal(a.e, E_LIMIT);
    assert_null(arena_str(&a, S("x")).p);
    arena_reset(&a);
    assert_int_equal(a.e, OK);
    assert_null(arena_alloc(&a, 1025));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    arena_reset(&a);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_non_null(arena_array(&a, 10, 16));
    arena_free(&a);
}

static void test_text(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64, 4096);
    a.secret = true;
    str s = arena_str(&a, S("a\0b"));
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    assert_non_null(arena_str(&a, S("")).p);
    s = arena_printf(&a, "%d-%s", 42, "x");
    assert_str(s, "42-x");
    assert_int_equal(s.p[4], 0);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
