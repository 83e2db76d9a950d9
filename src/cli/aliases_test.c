/* /etc/aliases: its syntax, where names lead, and what is refused. */
#include "base/test.h"
#include "cli/aliases.c"

static const char text[] = "# a comment\n"
                           "root: admin, ops@example.test,\n"
                           "\tsecond@example.test\n"
                           "Admin : carol\n"
                           "\"two words\": x@y\n"
                           "no colon here\n"
                           ": nothing\n"
                           "loop: loop2\n"
                           "loop2: loop\n"
                           "self: self, other@example.test\n"
                           "pipe: \"|/usr/bin/prog arg\"\n"
                           "file: /var/mail/x\n"
                           "list: :include:/etc/list\n"
                           "raw: \\root\n"
                           "quoted: \"a,b\"@example.test, c@d\n"
                           "empty:\n"
                           "last: end@example.test";

static void expands(void **state)
{
    (void)state;
    static const struct {
        const char *name, *out, *why;
    } v[] = {
        {"root", "carol ops@example.test second@example.test", ""},
        {"ROOT", "carol ops@example.test second@example.test", ""},
        {"nobody", "nobody", ""},
        {"two words", "x@y", ""},
        {"loop", "loop", ""},
        {"self", "self other@example.test", ""},
        {"pipe", "",
         "aliases file, line 11: pipe: \\\"|/usr/bin/prog arg\\\" is a program, which postrider does not serve"},
        {"file", "", "aliases file, line 12: file: /var/mail/x is a file, which postrider does not serve"},
        {"list", "", "aliases file, line 13: list: :include:/etc/list is an include, which postrider does not serve"},
        {"raw", "root", ""},
        {"quoted", "\"a,b\"@example.test c@d", ""},
        {"empty", "", ""},
        {"last", "end@example.test", ""},
    };
    struct arena a;
    struct aliases all;
    struct buf why, got;
    arena_init(&a, 1024, 1 << 20);
    buf_init(&why, 1024);
    buf_init(&got, 1024);
    assert_true(aliases_parse(&a, str_c(text), &all));
    for (size_t i = 0; i < COUNT(v); i++) {
        struct name_list l = {0};
        buf_clear(&why);
        buf_clear(&got);
        assert_int_equal(aliases_expand(&a, &all, str_c(v[i].name), &l, &why), !v[i].why[0]);
        for (size_t k = 0; k < l.n; k++)
            buf_printf(&got, "%s" STR_FMT, k ? " " : "", STR_ARG(l.v[k]));
        assert_str(buf_str(&got), v[i].out);
        assert_str(buf_str(&why), v[i].why);
    }
    buf_free(&why);
    buf_free(&got);
    arena_free(&a);
}

static void deep(void **state)
{
    (void)state;
    struct arena a;
    struct aliases all;
    struct buf why, t;
    struct name_list l = {0};
    arena_init(&a, 1024, 1 << 20);
    buf_init(&why, 1024);
    buf_init(&t, 65536);
    for (int i = 0; i < DEPTH_MAX + 2; i++)
        buf_printf(&t, "n%d: n%d\n", i, i + 1);
    assert_true(aliases_parse(&a, buf_str(&t), &all));
    assert_false(aliases_expand(&a, &all, S("n0"), &l, &why));
    assert_true(why.n > 0);
    buf_clear(&why);
    assert_true(aliases_expand(&a, &all, S("n2"), &l, &why));
    assert_str(l.v[0], "n18");
    buf_free(&why);
    buf_free(&t);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(expands), cmocka_unit_test(deep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
