#include "check/authres.c"
#include "base/test.h"

static void ids(void **state)
{
    static const struct {
        const char *in;
        const char *id, *rest; /* id NULL: none */
    } v[] = {
        {" mx.test; spf=pass", "mx.test", " spf=pass"},
        {"mx.test", "mx.test", ""},
        {" (c(o)m) mx.test (x;y) 1; a=b;", "mx.test", " a=b;"},
        {"\"mx.test\" 1;none", "mx.test", "none"},
        {"\r\n\tmx.test;x", "mx.test", "x"},
        {"mx.test(x);y", "mx.test", "y"},
        {"", NULL, NULL},
        {";spf=pass", NULL, NULL},
        {" (only a comment", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        str id, rest;
        assert_int_equal(authres_id(str_c(v[i].in), &id, &rest), v[i].id != NULL);
        if (v[i].id) {
            assert_str(id, v[i].id);
            assert_str(rest, v[i].rest);
        }
    }
}

static void results(void **state)
{
    str rest = S(" none; spf=pass (a;b) reason=\"c;d\" smtp.x=y ;; dkim/1 = fail ; NONE (x) ;arc=pass"), one, m, w;
    (void)state;
    assert_true(authres_next(&rest, &one));
    assert_str(one, "spf=pass (a;b) reason=\"c;d\" smtp.x=y");
    assert_true(authres_method(one, &m, &w));
    assert_str(m, "spf");
    assert_str(w, "pass");
    assert_true(authres_next(&rest, &one) && authres_method(one, &m, &w));
    assert_str(m, "dkim");
    assert_str(w, "fail");
    assert_true(authres_next(&rest, &one));
    assert_false(authres_method(one, &m, &w));
    assert_true(authres_next(&rest, &one) && authres_method(one, &m, &w));
    assert_str(m, "arc");
    assert_false(authres_next(&rest, &one));
}

static void values(void **state)
{
    static const struct {
        const char *in, *out;
    } v[] = {
        {"a@b.test", " n=a@b.test"},
        {"@b.test", " n=@b.test"},
        {"ab/c", " n=\"ab/c\""},
        {"a b", " n=\"a b\""},
        {"a\"\\b", " n=\"a\\\"\\\\b\""},
        {"a\r\nX: y", " n=\"a??X: y\""},
        {"", ""},
        {"a@b@c", " n=\"a@b@c\""},
        {"2001:db8::1", " n=\"2001:db8::1\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        char mem[100];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        authres_property(&b, "n", str_c(v[i].in));
        assert_str(buf_str(&b), v[i].out);
    }
}

static void forged(void **state)
{
    static const struct {
        const char *field;
        bool forged;
    } v[] = {
        {"Authentication-Results: mx.test; spf=pass\r\n", true},
        {"AUTHENTICATION-RESULTS : MX.TEST\r\n", true},
        {"Authentication-Results: (x) \"mx.test\" 1; spf=pass\r\n", true},
        {"Authentication-Results:\r\n mx.test.;\r\n", true},
        {"Authentication-Results:\r\n", true},
        {"Authentication-Results: ; spf=pass\r\n", true},
        {"Authentication-Results: other.test; spf=pass\r\n", false},
        {"Authentication-Results: mx.test.other; spf=pass\r\n", false},
        {"ARC-Authentication-Results: i=1; mx.test; spf=pass\r\n", false},
        {"X-Authentication-Results: mx.test; spf=pass\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        struct head_field f;
        str rest = str_c(v[i].field);
        assert_true(head_next(&rest, &f));
        assert_int_equal(check_authres_forged(&f, S("mx.test")), v[i].forged);
    }
}

static void written(void **state)
{
    char mem[4096];
    struct buf out;
    struct ip ip;
    struct check_dkim sig = {.result = CHECK_PASS,
                             .domain = S_INIT("a.test"),
                             .selector = S_INIT("s"),
                             .identity = S_INIT("@a.test"),
                             .algorithm = S_INIT("rsa-sha256"),
                             .b = S_INIT("ab/def"),
                             .key_bits = 2048};
    assert_true(ip_parse(S("192.0.2.1"), &ip));
    struct check c = {.ip = ip, .helo = S_INIT("h.test"), .from = S_INIT("u@a.test")};
    struct check_results r = {.iprev = {CHECK_PASS, S_INIT("h.test")},
                              .mail = {.done = true, .result = CHECK_SOFTFAIL, .why = S_INIT("evil) ; dkim=pass (")},
                              .dkim = &sig,
                              .ndkim = 1};
    (void)state;
    buf_init_fixed(&out, mem, sizeof mem);
    assert_int_equal(check_authres(&c, &r, S("mx.test"), &out), OK);
    assert_str(buf_str(&out), "Authentication-Results: mx.test;\r\n"
                              "\tiprev=pass (h.test) policy.iprev=192.0.2.1;\r\n"
                              "\tspf=softfail (evil\\) ; dkim=pass \\() smtp.mailfrom=u@a.test;\r\n"
                              "\tdkim=pass (2048-bit key) header.d=a.test header.i=@a.test header.s=s\r\n"
                              " header.a=rsa-sha256 header.b=\"ab/def\";\r\n"
                              "\tarc=none;\r\n"
                              "\tdmarc=none\r\n");
    str rest = buf_str(&out), id, one;
    struct head_field f;
    unsigned n = 0;
    assert_true(head_next(&rest, &f) && authres_id(f.value, &id, &rest));
    while (authres_next(&rest, &one))
        n++;
    assert_int_equal(n, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids), cmocka_unit_test(results), cmocka_unit_test(values),
                                       cmocka_unit_test(forged), cmocka_unit_test(written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
