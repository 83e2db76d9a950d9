/* Every allocation of a load fails once: the answer is E_NOMEM, or a library did without and the result is whole. */
#include "base/cleanup.h"
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void) { return 77; } /* the sanitizers have their own allocators */
#else
static long countdown = -1; /* this many calls succeed; -1: all */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
static bool fails(void) { return countdown >= 0 && countdown-- == 0; }
void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails() ? NULL : __libc_realloc(p, n); }

static const char text[] = "hostname = \"mx.example.test\"\n"
                           "listener mx { address = \"127.0.0.1:2525\" }\n"
                           "domain b\xc3\xbc"
                           "cher.test { mailboxes = {\"a\", \"b\"} catch-all = \"a@b.test\" }\n"
                           "alias \"\\\"x y\\\"@b.test\" { to = {\"a@b.test\"} }\n"
                           "route .x.test { via = {\"smtp://h.test\", \"mx\"} from = {\"@c.test\", \"a@d.test\"} }\n"
                           "list l { entries = {\"a.test\"} dns = \"z.test=127.0.0.2\" }\n"
                           "rule r { if = \"(sender is a@b.test or size > 2MB) and not client in list l\"\n"
                           " then = {\"limit 3/min by client\", \"refuse 550 5.7.1 no\"} on = \"mx\" }\n"
                           "queue { delays = {1s, 2s} } dns { servers = {\"127.0.0.1\"} }\n";

static void whole(struct conf *c, const struct buf *want)
{
    AUTO_BUF out;
    buf_init(&out, 1 << 20);
    conf_print(&out, c);
    assert_true(str_eq(buf_str(&out), buf_str(want)));
}

static void each_allocation(void **state)
{
    (void)state;
    struct conf_bundle b;
    AUTO_BUF want;
    buf_init(&want, 1 << 20);
    assert_int_equal(conf_bundle_of(&b, S("t.conf"), str_c(text), S("/etc")), OK);
    bool failed = true;
    for (long n = -1; failed && n < 100000; n++) {
        struct conf *c = NULL;
        struct conf_errors errors;
        countdown = n;
        err e = conf_load(&c, &b, &errors);
        failed = countdown < 0;
        countdown = -1;
        if (n < 0)
            conf_print(&want, c);
        assert_true(e == OK || (failed && e == E_NOMEM));
        assert_true((c != NULL) == (e == OK));
        if (c)
            whole(c, &want);
        conf_errors_free(&errors);
        conf_drop(&c);
    }
    assert_false(failed);
    conf_bundle_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
