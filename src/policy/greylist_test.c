#include "policy/greylist.c"
#include "base/test.h"

#include <fcntl.h>
#include <unistd.h>

static const struct grey_rules rules = {60, 7200, 86400, 2, 1000};

static enum grey_answer ask(const char *ip, const char *sender, const char *to, const char *domain, int64_t now)
{
    struct grey_ask a = {.sender = str_c(sender), .recipient = str_c(to), .domain = str_c(domain), .now_s = now};
    uint32_t wait;
    assert_true(ip_parse(str_c(ip), &a.client));
    enum grey_answer what = grey_ask(&a, &rules, &wait);
    assert_int_equal(wait > 0, what == GREY_NEW || what == GREY_EARLY);
    return what;
}

static int clean(void **state)
{
    (void)state;
    grey_clear();
    return 0;
}

static void comes_again(void **state)
{
    (void)state;
    const char *c = "192.0.2.1";
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 1000), GREY_NEW);
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 1059), GREY_EARLY);
    assert_int_equal(ask(c, "A@X.test", "B@y.TEST", "", 1060), GREY_AGAIN);
    assert_int_equal(ask("192.0.2.77", "a@x.test", "b@y.test", "", 1061), GREY_AGAIN); /* the same /24 */
    assert_int_equal(ask("192.0.3.1", "a@x.test", "b@y.test", "", 1061), GREY_NEW);
    assert_int_equal(ask(c, "other@x.test", "b@y.test", "", 1061), GREY_NEW);
    assert_int_equal(ask(c, "a@x.test", "other@y.test", "", 1061), GREY_NEW);
    assert_int_equal(ask(c, "", "b@y.test", "", 1061), GREY_NEW);
}

static void window_and_keeping(void **state)
{
    (void)state;
    const char *c = "2001:db8::1";
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 1000), GREY_NEW);
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 1000 + 7201), GREY_NEW); /* too late */
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 8300), GREY_AGAIN);
    assert_int_equal(ask("2001:db8::ffff", "a@x.test", "b@y.test", "", 8301), GREY_AGAIN); /* the same /64 */
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 8301 + 86400), GREY_AGAIN);
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 8301 + 86400 + 86401), GREY_NEW);
}

/* After two different triplets came again the network is known, whatever it brings; so is a domain of SPF. */
static void learns(void **state)
{
    (void)state;
    struct ip ip;
    const char *c = "198.51.100.1";
    assert_true(ip_parse(S("198.51.100.9"), &ip));
    (void)ask(c, "a@x.test", "b@y.test", "", 1000);
    (void)ask(c, "c@x.test", "b@y.test", "", 1000);
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 1100), GREY_AGAIN);
    assert_int_equal(ask(c, "a@x.test", "b@y.test", "", 1101), GREY_AGAIN); /* counts once */
    assert_int_equal(ask(c, "d@x.test", "b@y.test", "", 1102), GREY_NEW);
    assert_false(grey_knows(&ip, S(""), &rules, 1102));
    assert_int_equal(ask(c, "c@x.test", "b@y.test", "", 1103), GREY_AGAIN);
    assert_int_equal(ask(c, "e@x.test", "b@y.test", "", 1104), GREY_KNOWN);
    assert_true(grey_knows(&ip, S(""), &rules, 1105));
    assert_int_equal(ask(c, "e@x.test", "b@y.test", "", 1104 + 86401), GREY_NEW); /* forgotten */

    (void)ask("203.0.113.1", "a@big.test", "b@y.test", "big.test", 1000);
    assert_int_equal(ask("10.9.8.7", "a@big.test", "b@y.test", "big.test", 1100), GREY_AGAIN); /* another address */
    (void)ask("203.0.113.1", "c@big.test", "b@y.test", "big.test", 1100);
    (void)ask("10.1.1.1", "c@big.test", "b@y.test", "big.test", 1200);
    assert_int_equal(ask("10.2.2.2", "new@big.test", "b@y.test", "BIG.test", 1300), GREY_KNOWN);
    assert_int_equal(ask("10.2.2.2", "new@big.test", "b@y.test", "", 1300), GREY_NEW);
}

static void changing_senders(void **state)
{
    (void)state;
    const char *c = "192.0.2.1";
    assert_int_equal(ask(c, "bounce-1234-ab@x.test", "b@y.test", "", 1000), GREY_NEW);
    assert_int_equal(ask(c, "bounce-77-ab@x.test", "b@y.test", "", 1100), GREY_AGAIN);
    assert_int_equal(ask(c, "news+b=y.test@x.test", "b@y.test", "", 1000), GREY_NEW);
    assert_int_equal(ask(c, "news+other@x.test", "b+tag@y.test", "", 1100), GREY_AGAIN);
}

static void bounded(void **state)
{
    (void)state;
    char from[40];
    for (int i = 0; i < 3000; i++) {
        snprintf(from, sizeof from, "%c%c%c@x.test", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        (void)ask("192.0.2.1", from, "b@y.test", "", 1000);
        assert_true(grey_count() <= 1000);
    }
    assert_int_equal(grey_expire(1000), 0);
    while (grey_expire(1001))
        continue;
    assert_int_equal(grey_count(), 0);
}

/* What was learnt is there after a new start, and only that. */
static void kept(void **state)
{
    (void)state;
    char path[] = "/tmp/grey-test-XXXXXX";
    struct buf why;
    buf_init(&why, 1000);
    assert_non_null(mkdtemp(path));
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(grey_open(dir, &why), OK);
    (void)ask("192.0.2.1", "a@x.test", "b@y.test", "", 1000);
    (void)ask("192.0.2.1", "c@x.test", "b@y.test", "", 1000);
    assert_int_equal(ask("192.0.2.1", "a@x.test", "b@y.test", "", 1100), GREY_AGAIN);
    size_t n = grey_count();
    grey_close();
    grey_clear();
    assert_int_equal(grey_open(dir, &why), OK);
    assert_int_equal(grey_count(), n);
    assert_int_equal(ask("192.0.2.1", "a@x.test", "b@y.test", "", 1101), GREY_AGAIN);
    assert_int_equal(ask("192.0.2.1", "c@x.test", "b@y.test", "", 1102), GREY_AGAIN);
    assert_int_equal(ask("192.0.2.1", "d@x.test", "b@y.test", "", 1103), GREY_KNOWN);
    assert_int_equal(ask("192.0.9.1", "d@x.test", "b@y.test", "", 1103), GREY_NEW);
    grey_close();
    for (const char *const *f = (const char *const[]){"greylist.db", "greylist.db-journal", NULL}; *f; f++)
        unlinkat(dir, *f, 0);
    close(dir);
    rmdir(path);
    buf_free(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(comes_again, clean), cmocka_unit_test_setup(window_and_keeping, clean),
        cmocka_unit_test_setup(learns, clean),      cmocka_unit_test_setup(changing_senders, clean),
        cmocka_unit_test_setup(bounded, clean),     cmocka_unit_test_setup(kept, clean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
