#include "base/test.h"
#include "cli/options.h"

static void cases(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        bool ok;
        const char *a, *b, *s;
    } rows[] = {{{NULL}, true, NULL, NULL, NULL},
                {{"--a", "x", "--b=y"}, true, "x", "y", NULL},
                {{"--s", "--a="}, true, "", NULL, "s"},
                {{"--a", "--s"}, true, "--s", NULL, NULL},
                {{"--a=x", "--a", "y"}, true, "y", NULL, NULL},
                {{"--b", "y=z"}, true, NULL, "y=z", NULL},
                {{"--a"}, false, NULL, NULL, NULL},
                {{"--s=1"}, false, NULL, NULL, NULL},
                {{"--c", "x"}, false, NULL, NULL, NULL},
                {{"-a", "x"}, false, NULL, NULL, NULL},
                {{"a"}, false, NULL, NULL, NULL},
                {{"--"}, false, NULL, NULL, NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *a = NULL, *b = NULL, *s = NULL;
        const struct cli_option one[] = {{"a", false, &a}, {"s", true, &s}}, two[] = {{"b", false, &b}};
        const struct cli_options tables[] = {CLI_OPTIONS(one), CLI_OPTIONS(two)};
        static char command[] = "command";
        char *argv[6] = {command};
        int argc = 1;
        for (; rows[i].words[argc - 1]; argc++)
            argv[argc] = (char *)(uintptr_t)rows[i].words[argc - 1];
        bool ok = cli_options(tables, 2, argc, argv);
        if (ok != rows[i].ok)
            fail_msg("row %zu", i);
        if (!ok)
            continue;
        const char *got[] = {a, b, s}, *want[] = {rows[i].a, rows[i].b, rows[i].s};
        for (int k = 0; k < 3; k++)
            if (!got[k] != !want[k] || (got[k] && strcmp(got[k], want[k]) != 0))
                fail_msg("row %zu, value %d", i, k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
