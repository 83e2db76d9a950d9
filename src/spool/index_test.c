/* The index against a plain table, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "spool/internal.h"

enum { N = 20000 };
static uint64_t id[N];
static bool in[N];
static struct index x;

static void add(int i)
{
    assert_true(index_reserve(&x, id[i], 1));
    struct entry *e = index_add(&x, id[i]);
    e->off = (uint32_t)i;
    in[i] = true;
}

static void check_all(void)
{
    uint64_t n = 0;
    for (int i = 0; i < N; i++) {
        struct entry *e = index_find(&x, id[i]);
        assert_true((e != NULL) == in[i]);
        assert_true(!e || e->off == (uint32_t)i);
        n += in[i];
    }
    assert_true(x.n == n);
}

static size_t bytes(void)
{
    size_t n = 0;
    for (int i = 0; i < INDEX_SHARDS; i++)
        n += x.shard[i].cap * sizeof(struct entry);
    return n;
}

static void random_changes(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        id[i] = ((uint64_t)(i / 7 + 1) << 23) + (uint64_t)(i % 7); /* as ids are made */
    for (int round = 0; round < 6; round++) {
        for (int k = 0; k < N; k++) {
            int i = (int)rt_random_below(N);
            if (!in[i] && round < 3)
                add(i);
            else if (in[i])
                index_remove(&x, index_find(&x, id[i])), in[i] = false;
        }
        check_all();
    }
    for (int i = 0; i < N; i++)
        if (!in[i])
            add(i);
    check_all();
    assert_true(bytes() / N <= 36);
    for (int i = 0; i < N; i++)
        index_remove(&x, index_find(&x, id[i])), in[i] = false;
    for (int i = 0; i < N; i++)
        assert_true(index_reserve(&x, id[i], 1));
    assert_true(bytes() < 100 * 1024 * sizeof(struct entry));
    check_all();
    index_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
