#include "rt/test_world.h"
#include "recv/guard.c"

static struct ip ip_of(const char *text)
{
    struct ip ip;
    CHECK(ip_parse(str_c(text), &ip));
    return ip;
}

static struct ip_net home[1];
static struct conf conf = {.auth_slow_after = 5, .auth_block_after = 20, .auth_block_time = 60 * RT_S};

static enum guard_result try(const struct ip *ip, const char *account)
{
    enum guard_result r = guard_enter(&conf, ip, str_c(account));
    if (r == GUARD_GO)
        guard_leave(ip);
    return r;
}

/* Slowed at the limit, not before; then one a second; then blocked. Others are not concerned. */
static void addresses(void *arg, int index)
{
    (void)arg;
    (void)index;
    struct ip bad = ip_of("192.0.2.1"), other = ip_of("192.0.2.2"), own = ip_of("127.0.0.1");
    for (int i = 0; i < 4; i++)
        CHECK(!guard_failed(&conf, &bad, S("")));
    rt_time start = rt_now_fresh();
    for (int i = 0; i < 5; i++)
        CHECK(try(&bad, "") == GUARD_GO);
    CHECK(rt_now_fresh() - start < 3 * RT_S);
    CHECK(!guard_failed(&conf, &bad, S("")));
    start = rt_now_fresh();
    for (int i = 0; i < 3; i++)
        CHECK(try(&bad, "") == GUARD_GO);
    CHECK(rt_now_fresh() - start > 3 * RT_S / 2);
    for (int i = 5; i < 19; i++)
        CHECK(!guard_failed(&conf, &bad, S("")));
    CHECK(guard_failed(&conf, &bad, S(""))); /* the twentieth */
    CHECK(try(&bad, "") == GUARD_BLOCKED);
    CHECK(try(&other, "") == GUARD_GO);
    for (int i = 0; i < 100; i++)
        CHECK(!guard_failed(&conf, &own, S("")));
    CHECK(try(&own, "") == GUARD_GO); /* slowed, never blocked */
    rt_stop();
}

/* An account is blocked for strangers, not for those that it knows. */
static void accounts(void *arg, int index)
{
    (void)arg;
    (void)index;
    struct ip friend = ip_of("192.0.2.1");
    char text[32];
    guard_good(&friend, S("alice@example.test"));
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "198.51.100.%d", i);
        struct ip ip = ip_of(text);
        CHECK(guard_failed(&conf, &ip, S("alice@example.test")) == (i == 19));
    }
    struct ip stranger = ip_of("203.0.113.1");
    CHECK(try(&stranger, "ALICE@example.test") == GUARD_BLOCKED);
    CHECK(try(&stranger, "bob@example.test") == GUARD_GO);
    CHECK(try(&friend, "alice@example.test") == GUARD_GO);
    rt_stop();
}

/* Two at once of one address; the third waits for one of them. */
static bool third_done;
static void third(void *arg)
{
    CHECK(try(arg, "") == GUARD_GO);
    third_done = true;
}

static void at_once(void *arg, int index)
{
    static struct ip ip;
    (void)arg;
    (void)index;
    ip = ip_of("2001:db8::1");
    struct ip neighbour = ip_of("2001:db8::2"); /* the same /64 */
    CHECK(guard_enter(&conf, &ip, S("")) == GUARD_GO);
    CHECK(guard_enter(&conf, &neighbour, S("")) == GUARD_GO);
    CHECK(fiber_spawn(third, &ip, "third"));
    CHECK(fiber_sleep(rt_after(100 * RT_MS)) == OK);
    CHECK(!third_done);
    guard_leave(&ip);
    while (!third_done)
        CHECK(fiber_sleep(rt_after(10 * RT_MS)) == OK);
    guard_leave(&neighbour);
    rt_stop();
}

static void test_addresses(void **state)
{
    (void)state;
    world(1, addresses);
}
static void test_accounts(void **state)
{
    (void)state;
    world(1, accounts);
}
static void test_at_once(void **state)
{
    (void)state;
    world(1, at_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_accounts),
                                       cmocka_unit_test(test_at_once)};
    if (!ip_net_parse(S("127.0.0.0/8"), &home[0]))
        return 1;
    conf.limit_exempt = (struct conf_nets){home, 1};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
