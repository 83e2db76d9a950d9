/* The hash map: many nodes, equal hashes, removal while iterating. */
#include "base/map.h"
#include "base/test.h"

struct thing {
    struct map_node node;
    int n;
    bool seen;
};

static struct thing *find(struct map *m, int n, uint64_t hash)
{
    struct map_node *f = map_find(m, hash);
    while (f && container_of(f, struct thing, node)->n != n)
        f = map_next_equal(f);
    return f ? container_of(f, struct thing, node) : NULL;
}

static void test_map(void **state)
{
    (void)state;
    enum { N = 1000 };
    static struct thing v[N];
    struct map m = {0};
    assert_null(map_find(&m, 1));
    for (int i = 0; i < N; i++) {
        v[i].n = i;
        assert_true(map_add(&m, &v[i].node, (uint64_t)(i / 3) * 0x10001)); /* three of each hash */
    }
    assert_int_equal(m.n, N);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(find(&m, i, (uint64_t)(i / 3) * 0x10001), &v[i]);
    assert_null(find(&m, N, 5));
    assert_null(map_find(&m, 2));
    struct map_iter it = map_begin(&m);
    int count = 0;
    for (struct map_node *n; (n = map_each(&it)); count++) {
        struct thing *t = container_of(n, struct thing, node);
        assert_false(t->seen);
        t->seen = true;
        if (t->n % 2)
            map_remove(&m, n);
    }
    assert_int_equal(count, N);
    assert_int_equal(m.n, N / 2);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(find(&m, i, (uint64_t)(i / 3) * 0x10001), i % 2 ? NULL : &v[i]);
    map_free(&m);
    it = map_begin(&m);
    assert_null(map_each(&it));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
