/* Who wrote it. */
#include "wire/author.c"
#include "base/test.h"

static const struct {
    const char *head;
    enum author kind;
    const char *domain;
} cases[] = {
    {"From: a@b.test\r\n", AUTHOR_ONE, "b.test"},
    {"FROM : a@B.Test.\r\n\r\nFrom: c@d.test\r\n", AUTHOR_ONE, "b.test"},
    {"From:\r\n a\r\n @\r\n b.test\r\n", AUTHOR_ONE, "b.test"},
    {"From: =?utf-8?q?x=40y.test?= <a@b.test>\r\n", AUTHOR_ONE, "b.test"},
    {"From: \"x@y.test\" <a@b.test>\r\n", AUTHOR_ONE, "b.test"},
    {"From: x (a@c.test) <a@b.test> (d@e.test)\r\n", AUTHOR_ONE, "b.test"},
    {"From: <@c.test,@d.test:a@b.test>\r\n", AUTHOR_ONE, "b.test"},
    {"From: \"a@c.test\"@b.test\r\n", AUTHOR_ONE, "b.test"},
    {"From: \"<a@c.test>\" <a@b.test>\r\n", AUTHOR_ONE, "b.test"},
    {"From: a@c.test <a@b.test>\r\n", AUTHOR_ONE, "b.test"},
    {"From: Doe. John [IT] <a@b.test>\r\n", AUTHOR_ONE, "b.test"},
    {"From: a@c.test <a@b.test> x\r\n", AUTHOR_BROKEN, ""},
    {"From: a@c.test <a@b.test> <a@d.test>\r\n", AUTHOR_BROKEN, ""},
    {"From: a@b.test, c@b.test\r\n", AUTHOR_MANY, "b.test"},
    {"From: a@b.test, c@d.test\r\n", AUTHOR_MANY, ""},
    {"From: a@b.test\r\nFrom: a@b.test\r\n", AUTHOR_MANY, ""},
    {"From: x: a@b.test, c@B.test;\r\n", AUTHOR_MANY, "b.test"},
    {"From: x: a@b.test;, c@d.test\r\n", AUTHOR_MANY, ""},
    {"From: x:;\r\n", AUTHOR_NONE, ""},
    {"From:\r\n", AUTHOR_NONE, ""},
    {"To: a@b.test\r\n", AUTHOR_NONE, ""},
    {"", AUTHOR_NONE, ""},
    {"From: a\r\n", AUTHOR_BROKEN, ""},
    {"From: a@\r\n", AUTHOR_BROKEN, ""},
    {"From: @b.test\r\n", AUTHOR_BROKEN, ""},
    {"From: a@b..test\r\n", AUTHOR_BROKEN, ""},
    {"From: a@[192.0.2.1]\r\n", AUTHOR_BROKEN, ""},
    {"From: a@b.test, c\r\n", AUTHOR_BROKEN, ""},
    {"From: a@b\xc3\xbc"
     "cher.test\r\n",
     AUTHOR_ONE, "xn--bcher-kva.test"},
    {"From: a@\xff.test\r\n", AUTHOR_BROKEN, ""},
    {"From: (((((((((((((((((((((((((((((a@b.test\r\n", AUTHOR_BROKEN, ""},
};

static void each(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        str domain;
        arena_init(&a, 256, 65536);
        enum author kind = author_domain(str_c(cases[i].head), &a, &domain);
        if (kind != cases[i].kind || !str_eq(domain, str_c(cases[i].domain)))
            fail_msg("%s: %d \"%.*s\"", cases[i].head, kind, (int)domain.n, domain.p);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
