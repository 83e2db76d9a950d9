/* MTA-STS: records, policies, names. */
#include "base/buf.h"
#include "base/test.h"
#include "wire/sts.h"

static void records(void **state)
{
    (void)state;
    static const struct {
        const char *txt, *id; /* NULL: none */
    } rows[] = {
        {"v=STSv1; id=20160831085700Z;", "20160831085700Z"},
        {"v=STSv1;id=1", "1"},
        {"v=STSv1 ; id=1 ; other=x ;", "1"},
        {"v=STSv1; id=1; id=2", "1"},
        {"v=STSv1", NULL},
        {"v=STSv1;", NULL},
        {"v=STSv1; id=", NULL},
        {"v=STSv1; id=a-b", NULL},
        {"v=STSv1; id=123456789012345678901234567890123", NULL},
        {"v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012"},
        {"v=STSv1; nonsense; id=1", NULL},
        {"V=STSv1; id=1", NULL},
        {"v=STSv2; id=1", NULL},
        {"id=1; v=STSv1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str id;
        assert_int_equal(sts_record(str_c(rows[i].txt), &id), rows[i].id != NULL);
        if (rows[i].id)
            assert_str(id, rows[i].id);
    }
}

static void policies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        enum sts_mode mode;
        int64_t age;
        size_t n;
    } rows[] = {
        {"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n", true, STS_ENFORCE,
         604800, 2},
        {"version: STSv1\r\nmode: testing\r\nmx: a.test\r\nmax_age: 1\r\n", true, STS_TESTING, 1, 1},
        {"version:STSv1\nmode:none\nmax_age:0", true, STS_NONE, 0, 0},
        {"mode: enforce\nversion: STSv1\nmx: a.test\nmax_age: 99999999\nfuture: x\n", true, STS_ENFORCE, STS_AGE_MAX,
         1},
        {"version: STSv1\nmode: enforce\nmode: none\nmx: a.test\nmax_age: 5\nmax_age: 6\n", true, STS_ENFORCE, 5, 1},
        {"version: STSv1\nmode: enforce\nmax_age: 5\n", false, 0, 0, 0},
        {"version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 5\n", false, 0, 0, 0},
        {"mode: enforce\nmx: a.test\nmax_age: 5\n", false, 0, 0, 0},
        {"version: STSv1\nmx: a.test\nmax_age: 5\n", false, 0, 0, 0},
        {"version: STSv1\nmode: force\nmx: a.test\nmax_age: 5\n", false, 0, 0, 0},
        {"version: STSv1\nmode: enforce\nmx: a.test\n", false, 0, 0, 0},
        {"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 5\n", false, 0, 0, 0},
        {"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: -5\n", false, 0, 0, 0},
        {"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 12345678901\n", false, 0, 0, 0},
        {"<html>\n", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sts_policy p;
        assert_int_equal(sts_policy(str_c(rows[i].text), &p), rows[i].ok);
        if (!rows[i].ok)
            continue;
        assert_int_equal(p.mode, rows[i].mode);
        assert_int_equal(p.max_age_s, rows[i].age);
        assert_int_equal(p.nmx, rows[i].n);
    }
}

static void limit(void **state)
{
    (void)state;
    struct buf b;
    struct sts_policy p;
    buf_init(&b, 65536);
    for (int more = 0; more < 2; more++) {
        buf_clear(&b);
        buf_add_c(&b, "version: STSv1\nmode: enforce\nmax_age: 5\n");
        for (int i = 0; i < STS_MX_MAX + more; i++)
            buf_add_c(&b, "mx: a.test\n");
        assert_int_equal(sts_policy(buf_str(&b), &p), !more);
    }
    buf_free(&b);
}

static void names(void **state)
{
    (void)state;
    struct sts_policy p = {.mx = {S("mail.example.com"), S("*.example.net")}, .nmx = 2};
    assert_true(sts_match(&p, S("MAIL.example.com")));
    assert_true(sts_match(&p, S("a.example.net")));
    assert_false(sts_match(&p, S("a.b.example.net")));
    assert_false(sts_match(&p, S("example.net")));
    assert_false(sts_match(&p, S(".example.net")));
    assert_false(sts_match(&p, S("other.com")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(policies), cmocka_unit_test(limit),
                                       cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
