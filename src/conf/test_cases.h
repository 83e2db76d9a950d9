/* For tests of conf: texts, and what is said of them. */
#ifndef CONF_TEST_CASES_H
#define CONF_TEST_CASES_H
#include "base/cleanup.h"
#include "base/test.h"
#include "conf/test_conf.h"

struct conf_case {
    const char *text, *errors;
};

/* The result of conf_load, and its errors and warnings with NUL behind them. */
static inline err test_conf_said(const char *text, struct conf **ret, struct buf *said)
{
    struct conf_bundle b;
    struct conf_errors errors;
    *ret = NULL;
    assert_int_equal(conf_bundle_of(&b, S("t.conf"), str_c(text), S("/etc")), OK);
    err e = conf_load(ret, &b, &errors);
    conf_errors_print(said, &errors);
    buf_add_char(said, 0);
    conf_errors_free(&errors);
    conf_bundle_free(&b);
    return e;
}

/* True when the expected text is what was found, or its start if it ends in a blank (a text of another room may
 * follow). */
static inline bool as_expected(const char *found, const char *want)
{
    size_t n = strlen(want);
    return n && want[n - 1] == ' ' ? strncmp(found, want, n) == 0 : strcmp(found, want) == 0;
}

static inline void test_conf_cases(const struct conf_case *v, size_t n)
{
    int wrong = 0;
    for (size_t i = 0; i < n; i++) {
        struct conf *c;
        AUTO_BUF out = {.max = 1 << 20};
        err e = test_conf_said(v[i].text, &c, &out);
        if (!as_expected(out.p, v[i].errors)) {
            print_error("case %zu:\n%s\nexpected:\n%sfound:\n%s\n", i, v[i].text, v[i].errors, out.p);
            wrong++;
        }
        assert_int_equal(e, strstr(out.p, "error: ") ? E_SYNTAX : OK);
        assert_true((c != NULL) == (e == OK));
        conf_drop(&c);
    }
    assert_int_equal(wrong, 0);
}

#endif
