/* Cells of every size: their own, zeroed, given back to the system when nothing is left in a slab. */
#include "rt/cells.h"
#include "base/test.h"

enum { MANY = 20000 };

static void test_sizes(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 2000; n += n < 1100 ? 1 : 100) {
        char *a = cell_take(n), *b = cell_take(n);
        assert_true(a && b && a != b);
        assert_int_equal((uintptr_t)a % 8, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(a[i] | b[i], 0);
        memset(a, 1, n);
        memset(b, 2, n);
        assert_int_equal(a[n - 1], 1);
        cell_give(a, n);
        a = cell_take(n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(a[i], 0);
        assert_int_equal(b[0], 2);
        cell_give(a, n);
        cell_give(b, n);
    }
    cell_give(NULL, 100);
}

static void test_slabs_go_back(void **state)
{
    (void)state;
    static char *v[MANY];
    size_t before = cells_bytes();
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < MANY; i++) {
            v[i] = cell_take(150);
            memset(v[i], i, 150);
        }
        assert_true(cells_bytes() - before <= MANY * 152 + MANY * 152 / 100 + (256 << 10));
        for (int i = 0; i < MANY; i++) { /* in another order than they came */
            int k = (int)((unsigned)i * 7919u % MANY);
            assert_int_equal(v[k][149], (char)k);
            cell_give(v[k], 150);
        }
        assert_true(cells_bytes() <= before + (256 << 10));
    }
}

static void test_holes_are_filled(void **state)
{
    (void)state;
    static char *v[MANY];
    for (int i = 0; i < MANY; i++)
        v[i] = cell_take(48);
    size_t full = cells_bytes();
    for (int i = 0; i < MANY; i += 2)
        cell_give(v[i], 48);
    for (int i = 0; i < MANY; i += 2)
        v[i] = cell_take(48);
    assert_int_equal(cells_bytes(), full);
    for (int i = 0; i < MANY; i++)
        cell_give(v[i], 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_slabs_go_back),
        cmocka_unit_test(test_holes_are_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
