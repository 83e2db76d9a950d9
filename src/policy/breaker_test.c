#include "policy/breaker.h"
#include "rt/test_world.h"

static void opens(void)
{
    struct breaker *b = breaker_of("milter", S("one"));
    CHECK(b && b == breaker_of("milter", S("one")) && b != breaker_of("milter", S("two")));
    for (int i = 0; i < 3; i++) {
        CHECK(breaker_enter(b));
        breaker_leave(b, false, 3, 50 * RT_MS, "test");
        CHECK(breaker_state(b) == (i < 2 ? BREAKER_CLOSED : BREAKER_OPEN));
    }
    CHECK(!breaker_enter(b));
    CHECK(fiber_sleep(rt_after(60 * RT_MS)) == OK);
    CHECK(breaker_enter(b));  /* one tries ... */
    CHECK(!breaker_enter(b)); /* ... and nobody else */
    breaker_leave(b, false, 3, 50 * RT_MS, "test");
    CHECK(!breaker_enter(b));
    CHECK(fiber_sleep(rt_after(60 * RT_MS)) == OK);
    CHECK(breaker_enter(b));
    breaker_cancel(b);
    CHECK(breaker_enter(b));
    breaker_leave(b, true, 3, 50 * RT_MS, "test");
    CHECK(breaker_state(b) == BREAKER_CLOSED && breaker_enter(b) && breaker_enter(b));
}

static void never(void)
{
    struct breaker *b = breaker_of("milter", S("two"));
    for (int i = 0; i < 20; i++) {
        CHECK(breaker_enter(b));
        breaker_leave(b, false, 0, RT_S, "test");
    }
    CHECK(breaker_enter(NULL));
    breaker_leave(NULL, true, 1, 1, "");
}

static bool says(const struct buf *out, const char *line) { return str_search(buf_str(out), str_c(line)) != STR_NONE; }

/* One answer within a millisecond, one of two seconds, one failure. */
static void measures(void)
{
    struct buf out;
    struct breaker *b = breaker_of("milter", S("a \"b\""));
    buf_init(&out, 1 << 20);
    CHECK(breaker_enter(b));
    breaker_took(b, rt_now());
    breaker_leave(b, true, 1, RT_S, "");
    CHECK(breaker_enter(b));
    breaker_took(b, rt_now() - 2 * RT_S);
    breaker_leave(b, false, 1, 60 * RT_S, "gone");
    breaker_took(NULL, 0);
    breaker_metrics(&out);
    CHECK(says(&out, "postrider_filter_up{filter=\"milter a \\\"b\\\"\"} 0\n"));
    CHECK(says(&out, "postrider_filter_asked_total{filter=\"milter a \\\"b\\\"\"} 2\n"));
    CHECK(says(&out, "postrider_filter_failed_total{filter=\"milter a \\\"b\\\"\"} 1\n"));
    CHECK(says(&out, "postrider_filter_seconds_bucket{filter=\"milter a \\\"b\\\"\",le=\"1\"} 1\n"));
    CHECK(says(&out, "postrider_filter_seconds_bucket{filter=\"milter a \\\"b\\\"\",le=\"5\"} 2\n"));
    CHECK(says(&out, "postrider_filter_seconds_count{filter=\"milter a \\\"b\\\"\"} 2\n"));
    buf_free(&out);
}

static void all(void *arg, int index)
{
    (void)arg;
    (void)index;
    opens();
    never();
    measures();
    rt_stop();
}

static void test_breakers(void **state)
{
    (void)state;
    world(1, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_breakers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
