#include "base/test.h"
#include "directory/text.c"

static void round_trip(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "domain example.test deliver=maildir\n",
        "domain example.test deliver=lmtp://127.0.0.1:2424 catch-all=x@example.test customer=\"A & B\" "
        "messages=\"30/min 500/h\" disabled\n",
        "user alice@example.test\n",
        "user alice@example.test name=\"Alice \\\"A\\\" \\\\\" size=1000 any-sender forward=\"a@x.test b@x.test\" keep "
        "disabled hash=$y$j9T$abc scram=SCRAM-SHA-256$4096:c2FsdA==$x:y\n",
        "user \"\\\"a b\\\"@example.test\"\n",
        "alias info@example.test to=\"a@x.test b@x.test\"\n",
        "credential alice@example.test title=\"the printer\" disabled hash=x\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct arena a;
        struct directory_line l;
        struct buf out, why;
        arena_init(&a, 1024, 1 << 20);
        buf_init(&out, 4096);
        buf_init(&why, 4096);
        if (!directory_line_parse(&a, str_trim(str_c(lines[i])), &l, &why))
            fail_msg("%s: %.*s", lines[i], (int)why.n, why.p);
        directory_line_print(&out, &l);
        assert_str(buf_str(&out), lines[i]);
        buf_free(&out);
        buf_free(&why);
        arena_free(&a);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"user", "an address"},
        {"uses alice@example.test", "at the beginning"},
        {"domain exa_mple..test", "a domain name"},
        {"alias alice", "an address"},
        {"user alice@example.test size=x", "a whole number"},
        {"user alice@example.test size", "a value"},
        {"user alice@example.test keep=1", "no value"},
        {"user alice@example.test to=x@y.test", "a key of this kind"},
        {"user alice@example.test name=\"x", "a closing quote"},
        {"user alice@example.test name=\"a\tb\"", "without control"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct directory_line l;
        char mem[500] = "";
        struct buf why;
        arena_init(&a, 1024, 1 << 20);
        buf_init_fixed(&why, mem, sizeof mem - 1);
        if (directory_line_parse(&a, str_c(rows[i].line), &l, &why) || !strstr(mem, rows[i].why))
            fail_msg("%s: \"%s\", expected \"%s\"", rows[i].line, mem, rows[i].why);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
