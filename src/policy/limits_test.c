/* The clock is the test's own. */
#include "base/test.h"
#include "rt/rt.h"

static rt_time test_now = 1000 * RT_S;
#define rt_now() test_now
#include "policy/limits.c"
#undef rt_now

static struct limit by(const char *key, uint32_t minute, uint32_t hour, uint32_t at_once)
{
    return (struct limit){S("rule a"), str_c(key), {minute, hour, 0}, at_once, 100};
}

static bool enter(const struct limit *l, struct limit_hit *h)
{
    uint64_t ticket;
    *h = (struct limit_hit){0};
    return limit_enter(l, &ticket, h);
}

/* At the limit and one above, then as the window slides. */
static void slides(void **state)
{
    (void)state;
    struct limit l = by("a", 10, 0, 0), other = by("b", 10, 0, 0), scope = l;
    struct limit_hit h;
    scope.scope = S("rule b");
    for (int i = 0; i < 10; i++)
        assert_true(enter(&l, &h));
    assert_false(enter(&l, &h));
    assert_int_equal(h.most, 10);
    assert_int_equal(h.window, 0);
    assert_true(h.wait >= 60 * RT_S && h.wait <= 120 * RT_S);
    assert_true(enter(&other, &h) && enter(&scope, &h));
    rt_time told = h.wait;
    assert_false(enter(&l, &h));
    told = h.wait;
    test_now += told - RT_S;
    assert_false(enter(&l, &h));
    test_now += 2 * RT_S;
    assert_true(enter(&l, &h));
    test_now += 300 * RT_S; /* everything is over */
    for (int i = 0; i < 10; i++)
        assert_true(enter(&l, &h));
    assert_false(enter(&l, &h));
    test_now += 75 * RT_S; /* three quarters of the last minute still count */
    assert_true(enter(&l, &h) && enter(&l, &h) && enter(&l, &h));
    assert_false(enter(&l, &h));
}

static void both_windows(void **state)
{
    (void)state;
    struct limit l = by("both", 5, 8, 0);
    struct limit_hit h;
    int let_in = 0;
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 5; k++)
            let_in += enter(&l, &h);
        test_now += 130 * RT_S;
    }
    assert_int_equal(let_in, 8);
    assert_int_equal(h.window, 1);
}

static void at_once(void **state)
{
    (void)state;
    struct limit l = by("once", 0, 0, 2);
    struct limit_hit h;
    uint64_t a, b, c;
    assert_true(limit_enter(&l, &a, &h) && limit_enter(&l, &b, &h));
    assert_false(limit_enter(&l, &c, &h));
    assert_int_equal(h.window, -1);
    assert_int_equal(c, 0);
    limit_leave(a);
    assert_true(limit_enter(&l, &c, &h));
    assert_false(limit_enter(&l, &a, &h));
    limit_leave(b);
    limit_leave(c);
    limit_leave(0);
}

/* A table of 100 keys: who is inside stays, the oldest of the others leave. */
static void bounded(void **state)
{
    (void)state;
    struct limit in = by("inside", 0, 0, 1);
    struct limit_hit h;
    uint64_t ticket, unused;
    char key[20];
    assert_true(limit_enter(&in, &ticket, &h));
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%d", i);
        struct limit l = by(key, 1, 0, 0);
        assert_true(enter(&l, &h));
        assert_true(limit_count() <= 100);
    }
    struct limit last = by("999", 1, 0, 0), first = by("0", 1, 0, 0);
    assert_false(enter(&last, &h));
    assert_true(enter(&first, &h));
    assert_false(limit_enter(&in, &unused, &h));
    limit_leave(ticket);
}

static void words(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    limit_say(&b, &(struct limit_hit){30, 0, 11 * RT_S}, S("client"), S("192.0.2.1"));
    buf_add_char(&b, '\n');
    limit_say(&b, &(struct limit_hit){2, -1, 0}, S("account"), S("a@b.test"));
    assert_str(buf_str(&b), "Limit of 30 a minute for client 192.0.2.1 is reached, try again in 12 s\n"
                            "Limit of 2 at once for account a@b.test is reached, try again later");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slides), cmocka_unit_test(both_windows),
                                       cmocka_unit_test(at_once), cmocka_unit_test(bounded), cmocka_unit_test(words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
