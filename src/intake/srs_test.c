/* Rewritten senders: there and back, expiry, and everything that is not ours. */
#include "intake/srs.h"
#include "base/cleanup.h"
#include "priv/priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { DAY = 86400 };
static const int64_t now = 1700000000;

static int set_up(void **state)
{
    (void)state;
    return priv_setup(&(struct priv_secrets){.srs = S("secret")});
}
static int tear_down(void **state)
{
    (void)state;
    priv_end();
    return 0;
}

static bool forward(const char *local, const char *domain, int64_t at, struct buf *out)
{
    buf_clear(out);
    return srs_forward(out, str_c(local), str_c(domain), at);
}

static void there_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *local, *domain;
        bool fits;
    } rows[] = {{"a", "b.test", true},
                {"a=b+c", "b.test", true},
                {"with space", "b.test", true},
                {"\xc3\xbc", "b\xc3\xbc.test", true},
                {"SRS0=abc=de=orig.test=user", "hop.test", true},
                {"srs0+abc=de=orig.test=user", "hop.test", true},
                {"0123456789012345678901234567890123456789", "b.test", true},
                {"01234567890123456789012345678901234567890123", "b.test", false},
                {"SRS1=broken", "hop.test", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_BUF out = {0};
        AUTO_ARENA mem = {0};
        str local, domain;
        buf_init(&out, 1000);
        arena_init(&mem, 256, 4096);
        assert_int_equal(forward(rows[i].local, rows[i].domain, now, &out), rows[i].fits);
        if (!rows[i].fits)
            continue;
        assert_int_equal(srs_reverse(&mem, buf_str(&out), now + 3 * DAY, &local, &domain), SRS_OK);
        assert_true(str_eq(domain, str_c(rows[i].domain)));
        assert_true(str_ieq(local, str_c(rows[i].local)));
    }
}

/* SRS1 goes back to the first forwarder, whoever rewrote it in between. */
static void second_hop(void **state)
{
    (void)state;
    AUTO_BUF one = {0}, two = {0};
    AUTO_ARENA mem = {0};
    str local, domain;
    buf_init(&one, 1000);
    buf_init(&two, 1000);
    arena_init(&mem, 256, 4096);
    assert_true(forward("SRS0=abc=de=orig.test=user", "first.test", now, &one));
    buf_add_char(&one, 0);
    assert_true(forward(one.p, "second.test", now, &two));
    assert_int_equal(srs_reverse(&mem, buf_str(&two), now, &local, &domain), SRS_OK);
    assert_true(str_eq(domain, S("first.test")) && str_eq(local, S("SRS0=abc=de=orig.test=user")));
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        int64_t later;
        enum srs_result want;
    } rows[] = {{0, SRS_OK},    {SRS_DAYS * DAY, SRS_OK}, {(SRS_DAYS + 1) * DAY, SRS_BAD},
                {-DAY, SRS_OK}, {-2 * DAY, SRS_BAD},      {500 * DAY, SRS_BAD}};
    AUTO_BUF out = {0};
    buf_init(&out, 1000);
    assert_true(forward("a", "b.test", now, &out));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_ARENA mem = {0};
        str local, domain;
        arena_init(&mem, 256, 4096);
        assert_int_equal(srs_reverse(&mem, buf_str(&out), now + rows[i].later, &local, &domain), rows[i].want);
    }
}

static void forged(void **state)
{
    (void)state;
    static const struct {
        const char *local;
        enum srs_result want;
    } rows[] = {{"alice", SRS_NONE},
                {"SRS", SRS_NONE},
                {"SRS0", SRS_NONE},
                {"SRS0x", SRS_NONE},
                {"SRS2=a=b=c=d", SRS_NONE},
                {"SRS0=", SRS_NONE},
                {"SRS0=a", SRS_BAD},
                {"SRS0=a=b=c", SRS_BAD},
                {"SRS0=a=b=c=", SRS_BAD},
                {"SRS0=AAAAAA=AA=b.test=a", SRS_BAD},
                {"SRS1=AAAAAA=b.test==x", SRS_BAD},
                {"SRS1=A==x", SRS_BAD}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_ARENA mem = {0};
        str local, domain;
        arena_init(&mem, 256, 4096);
        assert_int_equal(srs_reverse(&mem, str_c(rows[i].local), now, &local, &domain), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(second_hop),
                                       cmocka_unit_test(dates), cmocka_unit_test(forged)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
