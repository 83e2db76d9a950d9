/* The small stores: index of ids, heap of times, interned texts. */
#include "queue/world.h"

static uint64_t scatter(uint64_t i) { return i * 0x9e3779b97f4a7c15u >> 1; }

static uint64_t at[100000]; /* what an index points at: ids */

static void fill_and_empty(uint64_t (*id)(uint64_t), size_t n)
{
    struct index x = {0};
    assert_null(ids_next(&x, 0));
    assert_null(ids_find(&x, 7));
    for (size_t i = 1; i <= n; i++) {
        at[i] = id(i);
        assert_true(ids_add(&x, &at[i]));
    }
    assert_false(ids_add(&x, &at[1]));
    assert_int_equal(x.count, n);
    uint64_t last = 0;
    for (size_t k = 0; k < n; k++) {
        uint64_t *next = ids_next(&x, last);
        assert_true(next >= at + 1 && next <= at + n && *next > last);
        last = *next;
    }
    assert_null(ids_next(&x, last));
    for (size_t i = 1; i <= n; i += 2)
        ids_remove(&x, id(i));
    for (size_t i = 1; i <= n; i++)
        assert_ptr_equal(ids_find(&x, id(i)), i % 2 ? NULL : &at[i]);
    for (size_t i = 1; i <= n; i += 2)
        assert_true(ids_add(&x, &at[i]));
    for (size_t i = n; i >= 1; i--)
        ids_remove(&x, id(i));
    assert_int_equal(x.count, 0);
    assert_int_equal(x.n, 0);
    ids_free(&x);
}

static uint64_t rising(uint64_t i) { return i * 3; }
static uint64_t falling(uint64_t i) { return 1000000 - i; }

/* Ids that are given out by many and come a little out of order, as from sessions that wait for the disk. */
static void test_index_stays_full(void **state)
{
    enum { N = 100000, LATE = 60 };
    struct index x = {0};
    (void)state;
    size_t n = 0;
    for (uint64_t i = 0; i + LATE <= N; i += LATE)
        for (uint64_t k = 0; k < LATE; k++) {
            at[n] = 1 + i + k * 7 % LATE;
            assert_true(ids_add(&x, &at[n++]));
        }
    assert_int_equal(x.count, n);
    assert_true(x.n * 126 < x.count * 110 / 100);
    for (uint64_t id = 0; id < n; id++)
        assert_int_equal(*(uint64_t *)ids_next(&x, id), id + 1);
    ids_free(&x);
}

static void test_index(void **state)
{
    (void)state;
    for (size_t n = 1; n < 30000; n = n * 3 + 1) {
        fill_and_empty(rising, n);
        fill_and_empty(falling, n);
        fill_and_empty(scatter, n);
    }
}

/* A queue that is emptied in a random order does not keep its chunks. */
static void test_index_shrinks(void **state)
{
    (void)state;
    struct index x = {0};
    for (size_t i = 1; i <= 12600; i++) {
        at[i] = i;
        assert_true(ids_add(&x, &at[i]));
    }
    assert_int_equal(x.n, 100);
    for (size_t i = 1; i <= 12600; i++)
        if (i % 100)
            ids_remove(&x, i);
    assert_int_equal(x.count, 126);
    assert_true(x.n <= 5);
    ids_free(&x);
}

static void test_due(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct msg *m[N];
    struct due d = {0};
    for (int i = 0; i < N; i++) {
        m[i] = calloc(1, sizeof(struct msg));
        assert_true(wait_reserve(&d));
        wait_set(&d, m[i], (tick)(scatter((uint64_t)i + 1) % 100000));
    }
    for (int i = 0; i < N; i += 3)
        wait_set(&d, m[i], (tick)(scatter((uint64_t)i + 7) % 1000));
    for (int i = 1; i < N; i += 3)
        wait_set(&d, m[i], TICK_NEVER);
    tick last = 0;
    uint32_t left = d.n;
    for (; d.n; left--) {
        tick t = wait_first(&d);
        assert_true(t >= last);
        assert_int_equal(wait_when(&d, d.m[0]), t);
        last = t;
        wait_set(&d, d.m[0], TICK_NEVER);
    }
    assert_int_equal(left, 0);
    assert_int_equal(d.reserved, N);
    for (int i = 0; i < N; i++) {
        wait_unreserve(&d, m[i]);
        free(m[i]);
    }
    assert_int_equal(d.reserved, 0);
    wait_free(&d);
}

static void test_texts(void **state)
{
    (void)state;
    struct texts t = {0};
    uint32_t a = texts_get(&t, S("450 later")), b = texts_get(&t, S("450 later")), c = texts_get(&t, S("550 never"));
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    assert_int_equal(texts_get(&t, S("")), 0);
    assert_str(texts_str(&t, a), "450 later");
    assert_str(texts_str(&t, 0), "");
    uint32_t first = a;
    texts_drop(&t, &a);
    assert_int_equal(a, 0);
    assert_str(texts_str(&t, b), "450 later");
    texts_drop(&t, &b);
    assert_int_equal(texts_get(&t, S("another")), first); /* its number is free again */
    char big[600];
    memset(big, 'x', sizeof big);
    memcpy(big + 511, "\xc3\xa4", 2);
    uint32_t d = texts_get(&t, str_mem(big, sizeof big));
    assert_int_equal(texts_str(&t, d).n, 511);
    t.bytes += TEXTS_MAX; /* full: only codes are kept */
    uint32_t e = texts_get(&t, S("451 4.7.1 greylisted, ticket 17")), f = texts_get(&t, S("451 4.7.1 ticket 18"));
    assert_int_equal(e, f);
    assert_str(texts_str(&t, e), "451 4.7.1");
    texts_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_index), cmocka_unit_test(test_index_stays_full),
                                       cmocka_unit_test(test_index_shrinks), cmocka_unit_test(test_due),
                                       cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
