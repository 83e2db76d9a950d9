/* The options of sendmail as programs write them. */
#include "base/test.h"
#include "cli/sendmail.c"

static int parse_words(const char *words, struct options *o, int *ret_left)
{
    static char text[512];
    char *argv[20] = {(char *)(uintptr_t) "sendmail"}, *save = NULL;
    int argc = 1;
    snprintf(text, sizeof text, "%s", words);
    for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    *o = (struct options){0};
    int status = parse(o, argc, argv);
    *ret_left = argc - optind;
    return status;
}

static void options(void **none)
{
    (void)none;
    static const struct {
        const char *words;
        int status, left;
        enum mode mode;
        bool header, dots, verbose;
        const char *from;
    } v[] = {
        {"a@b", 0, 1, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-t -i", 0, 0, SENDMAIL_SUBMIT, true, true, false, NULL},
        {"-ti", 0, 0, SENDMAIL_SUBMIT, true, true, false, NULL},
        {"-oi -f me@x a@b c@d", 0, 2, SENDMAIL_SUBMIT, false, true, false, "me@x"},
        {"-fme@x -- -a@b", 0, 1, SENDMAIL_SUBMIT, false, false, false, "me@x"},
        {"-r me@x -v -om -oem -odb a@b", 0, 1, SENDMAIL_SUBMIT, false, false, true, "me@x"},
        {"-oIgnoreDots a@b", 0, 1, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-O IgnoreDots=true a@b", 0, 1, SENDMAIL_SUBMIT, false, true, false, NULL},
        {"-FName -B8BITMIME -Am -G -U -h5 -Ltag -m -n -X/dev/null -pSMTP a@b", 0, 1, SENDMAIL_SUBMIT, false, false,
         false, NULL},
        {"-N success,delay -R hdrs -V id a@b", 0, 1, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-N NEVER -RFULL a@b", 0, 1, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"a@b -t", 0, 2, SENDMAIL_SUBMIT, false, false, false, NULL}, /* behind a recipient nothing is an option */
        {"-bs", 0, 0, SENDMAIL_SMTP, false, false, false, NULL},
        {"-bp", 0, 0, SENDMAIL_LIST, false, false, false, NULL},
        {"-bm a", 0, 1, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-q", 0, 0, SENDMAIL_FLUSH, false, false, false, NULL},
        {"-q30m", 0, 0, SENDMAIL_FLUSH, false, false, false, NULL},
        {"-bi", 0, 0, SENDMAIL_NOTHING, false, false, false, NULL},
        {"-I", 0, 0, SENDMAIL_NOTHING, false, false, false, NULL},
        {"-bd", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-bv", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-N sometimes", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-N never,success", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-R some", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-Z", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
        {"-f", EX_USAGE, 0, SENDMAIL_SUBMIT, false, false, false, NULL},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        struct options o;
        int left;
        assert_int_equal(parse_words(v[i].words, &o, &left), v[i].status);
        if (v[i].status)
            continue;
        assert_int_equal(left, v[i].left);
        assert_int_equal(o.mode, v[i].mode);
        assert_int_equal(o.from_header, v[i].header);
        assert_int_equal(o.keep_dots, v[i].dots);
        assert_int_equal(o.verbose, v[i].verbose);
        assert_string_equal(o.from ? o.from : "", v[i].from ? v[i].from : "");
    }
}

static void names(void **none)
{
    (void)none;
    assert_str(unbracket(S(" <a@b> ")), "a@b");
    assert_str(unbracket(S("<>")), "");
    assert_str(unbracket(S("a@b")), "a@b");
    assert_true(has_controls(S("a\nb")));
    assert_true(has_controls(S("a>b")));
    assert_false(has_controls(S("\"a b\"@c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
