#include "base/test.h"
#include "intake/quota.c"

static struct quota_ask ask(const char *scope, const char *name, uint32_t minute, uint32_t hour, uint32_t recipients)
{
    struct quota_ask q = {.scope = scope, .name = str_c(name)};
    q.rate[QUOTA_MESSAGES].most[0] = minute;
    q.rate[QUOTA_MESSAGES].most[1] = hour;
    q.rate[QUOTA_RECIPIENTS].most[2] = recipients;
    return q;
}

/* At the limit and one more; the answer names which limit of whom. */
static void limits(void **state)
{
    (void)state;
    struct reply r = {0};
    struct quota_ask a = ask("account", "a@x.test", 3, 5, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(quota_room(&a, 1, QUOTA_MESSAGES, 1, &r));
        assert_true(quota_take(&a, 1, 1, &r));
    }
    assert_false(quota_room(&a, 1, QUOTA_MESSAGES, 1, &r));
    assert_false(quota_take(&a, 1, 1, &r));
    assert_int_equal(r.code, 450);
    assert_string_equal(r.esc, "4.7.1");
    assert_true(str_starts(reply_text(&r), S("Limit of 3 messages a minute for account a@x.test is reached")));
    struct quota_ask b = ask("account", "b@x.test", 3, 5, 0); /* another one is not concerned */
    assert_true(quota_take(&b, 1, 1, &r));
    struct quota_ask same = ask("account", "A@X.test", 3, 5, 0); /* the same but for case */
    assert_false(quota_take(&same, 1, 1, &r));
    struct quota_ask none = ask("account", "a@x.test", 0, 0, 0);
    assert_true(quota_take(&none, 1, 1000, &r));
}

static void recipients(void **state)
{
    (void)state;
    struct reply r = {0};
    struct quota_ask a = ask("account", "c@x.test", 0, 0, 10);
    assert_true(quota_room(&a, 1, QUOTA_RECIPIENTS, 10, &r));
    assert_false(quota_room(&a, 1, QUOTA_RECIPIENTS, 11, &r));
    assert_true(quota_take(&a, 1, 9, &r));
    assert_false(quota_take(&a, 1, 2, &r));
    assert_true(str_starts(reply_text(&r), S("Limit of 10 recipients a day for account c@x.test")));
    assert_true(quota_take(&a, 1, 1, &r));
}

/* Every scope has room, or none counts. */
static void scopes(void **state)
{
    (void)state;
    struct reply r = {0};
    struct quota_ask v[2] = {ask("account", "d@x.test", 5, 0, 0), ask("domain", "x.test", 2, 0, 0)};
    assert_true(quota_take(v, 2, 1, &r));
    v[0].name = S("e@x.test");
    assert_true(quota_take(v, 2, 1, &r));
    assert_false(quota_take(v, 2, 1, &r));
    assert_true(str_search(reply_text(&r), S("for domain x.test")) != STR_NONE);
    struct quota_ask alone = ask("account", "e@x.test", 2, 0, 0); /* the third did not count for it */
    assert_true(quota_take(&alone, 1, 1, &r));
    assert_false(quota_take(&alone, 1, 1, &r));
}

static void signs(void **state)
{
    (void)state;
    struct ip ip;
    uint32_t n;
    for (int i = 0; i < 40; i++) { /* one network, however many addresses */
        char text[32];
        snprintf(text, sizeof text, "192.0.2.%d", i);
        assert_true(ip_parse(str_c(text), &ip));
        assert_false(quota_seen(S("f@x.test"), &ip, 3, &n));
        assert_int_equal(n, 1);
    }
    assert_true(ip_parse(S("198.51.100.1"), &ip));
    assert_false(quota_seen(S("f@x.test"), &ip, 3, &n));
    assert_true(ip_parse(S("2001:db8::1"), &ip));
    assert_true(quota_seen(S("f@x.test"), &ip, 3, &n));
    assert_false(quota_seen(S("f@x.test"), &ip, 0, &n));
    for (int i = 1; i < 5; i++)
        assert_false(quota_unknown(S("g@x.test"), 5));
    assert_true(quota_unknown(S("g@x.test"), 5));
    assert_false(quota_unknown(S("g@x.test"), 0));
    uint32_t now = 0, usual = 0; /* nothing is known about what is usual */
    assert_false(quota_sudden(S("h@x.test"), 1, &now, &usual));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(limits), cmocka_unit_test(recipients), cmocka_unit_test(scopes),
                                       cmocka_unit_test(signs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
