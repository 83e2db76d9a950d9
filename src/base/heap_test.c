/* The heap and the list against plain sorting and counting. */
#include "base/heap.h"
#include "base/list.h"
#include "base/test.h"

enum { N = 500 };

static uint32_t seed = 1;
static uint32_t next(void) { return seed = seed * 1664525u + 1013904223u; }

static void check(const struct heap *h)
{
    for (uint32_t i = 0; i < h->n; i++) {
        assert_int_equal(h->v[i]->at, i + 1);
        if (i)
            assert_true(h->v[(i - 1) / 4]->key <= h->v[i]->key);
    }
}

static void test_order(void **state)
{
    (void)state;
    static struct heap_node v[N];
    struct heap h = {0};
    uint32_t in = 0;
    for (int step = 0; step < 20000; step++) {
        struct heap_node *n = &v[next() >> 8 & 0xff];
        int64_t key = (int64_t)(next() >> 20) - 2048;
        if (!heap_has(n)) {
            assert_true(heap_push(&h, n, key));
            in++;
        } else if (next() & 0x10000) {
            heap_move(&h, n, key);
            assert_int_equal(n->key, key);
        } else {
            heap_remove(&h, n);
            heap_remove(&h, n);
            in--;
        }
        assert_int_equal(h.n, in);
        if (step % 64 == 0)
            check(&h);
    }
    int64_t last = INT64_MIN;
    for (struct heap_node *n; (n = heap_min(&h)); heap_remove(&h, n)) {
        assert_true(n->key >= last);
        last = n->key;
    }
    heap_free(&h);
    assert_null(heap_min(&h));
}

static void test_reserve(void **state)
{
    (void)state;
    struct heap h = {0};
    assert_true(heap_reserve(&h, 100));
    assert_true(h.cap >= 100);
    uint32_t cap = h.cap;
    assert_true(heap_reserve(&h, 100));
    assert_int_equal(h.cap, cap);
    heap_free(&h);
}

struct item {
    int n;
    struct list node;
};

static void test_list(void **state)
{
    (void)state;
    struct list l = LIST_INIT(l);
    struct item v[5];
    int expect = 0;
    assert_null(list_pop_front(&l));
    for (int i = 0; i < 5; i++) {
        v[i].n = i;
        list_push_back(&l, &v[i].node);
    }
    LIST_EACH(it, &l)
    {
        struct item *i = container_of(it, struct item, node);
        assert_int_equal(i->n, expect++);
        if (i->n % 2)
            list_remove(it);
    }
    list_push_front(&l, &v[3].node);
    static const int order[] = {3, 0, 2, 4};
    for (size_t i = 0; i < COUNT(order); i++) {
        struct list *n = list_pop_front(&l);
        assert_int_equal(container_of(n, struct item, node)->n, order[i]);
        assert_true(list_empty(n));
    }
    assert_true(list_empty(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
