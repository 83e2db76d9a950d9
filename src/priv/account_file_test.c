#include "base/test.h"
#include "priv/internal.h"

#include <crypt.h>

static void lines(void **state)
{
    (void)state;
    static const char text[] = "# people\n"
                               "Alice@Example.test:{PLAIN}in wonderland:1000:1000::/home/alice::\n"
                               "\r\n"
                               "bob:{CRYPT}$6$saltsalt$x\r\n"
                               "alice@example.test:{PLAIN}second\n"
                               "locked@example.test:!:\n"
                               "strange@example.test:{SSHA}abcdefghijklmnopqrstuvwxyz\n"
                               "empty@example.test:\n"
                               "no colon\n"
                               ":{PLAIN}nobody\n"
                               "carol@example.test:{SHA512-CRYPT}$6$saltsalt$x:";
    static const struct {
        const char *name, *hash; /* NULL: not there */
    } rows[] = {{"alice@example.test", "{PLAIN}in wonderland"},
                {"bob", "{CRYPT}$6$saltsalt$x"},
                {"locked@example.test", ""},
                {"strange@example.test", ""},
                {"empty@example.test", ""},
                {"carol@example.test", "$6$saltsalt$x"},
                {"no colon", NULL},
                {"", NULL},
                {"alice", NULL},
                {"zoe@example.test", NULL}};
    struct arena a;
    struct account_file f;
    arena_init(&a, 4096, 1 << 20);
    assert_int_equal(account_file_read(&f, &a, &(struct priv_file){S("people"), str_c(text)}), OK);
    assert_int_equal(f.n, 7);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct account_line *x = account_file_find(&f, str_c(rows[i].name));
        if (!x != !rows[i].hash || (x && !str_eq(x->hash, str_c(rows[i].hash))))
            fail_msg("%s: %.*s", rows[i].name, x ? (int)x->hash.n : 0, x ? x->hash.p : "");
    }
    arena_free(&a);
}

static void too_many(void **state)
{
    (void)state;
    struct arena a;
    struct account_file f;
    size_t n = PRIV_FILE_LINES_MAX;
    char *text = malloc(n);
    memset(text, '\n', n);
    arena_init(&a, 4096, 64 << 20);
    assert_int_equal(account_file_read(&f, &a, &(struct priv_file){S("x"), {text, n - 1}}), OK);
    assert_int_equal(account_file_read(&f, &a, &(struct priv_file){S("x"), {text, n}}), E_LIMIT);
    arena_free(&a);
    free(text);
}

/* Hashes that crypt(3) makes, by all the names that others give them. */
static void questions(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *prefix;
    } kinds[] = {{"", "$y$"},
                 {"{CRYPT}", "$6$"},
                 {"{SHA512-CRYPT}", "$6$"},
                 {"{SHA256-CRYPT}", "$5$"},
                 {"{BLF-CRYPT}", "$2y$"},
                 {"{MD5-CRYPT}", "$1$"}};
    struct buf text;
    buf_init(&text, 1 << 16);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char setting[CRYPT_GENSALT_OUTPUT_SIZE];
        struct crypt_data d = {0};
        assert_non_null(
            crypt_gensalt_rn(kinds[i].prefix, 0, "0123456789abcdef0123456789abcdef", 32, setting, sizeof setting));
        buf_printf(&text, "u%zu@example.test:%s%s:::\n", i, kinds[i].scheme, crypt_rn("secret", setting, &d, sizeof d));
    }
    buf_add_c(&text, "bare:{PLAIN}secret\n");
    const struct priv_file files[] = {{S("people"), buf_str(&text)}, {S("gone"), {NULL, 0}}};
    assert_int_equal(priv_setup(&(struct priv_secrets){.files = files, .nfiles = 2}), OK);
    const str right = S("secret"), wrong = S("Secret"), none = S("");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char name[40];
        snprintf(name, sizeof name, "U%zu@Example.test", i);
        assert_int_equal(priv_file_account(S("people"), str_c(name), none, NULL), OK);
        assert_int_equal(priv_file_account(S("people"), str_c(name), none, &right), OK);
        assert_int_equal(priv_file_account(S("people"), str_c(name), none, &wrong), E_DENIED);
        assert_int_equal(priv_file_account(S("people"), str_c(name), none, &none), E_DENIED);
    }
    assert_int_equal(priv_file_account(S("people"), S("bare@example.test"), none, &right), E_NOT_FOUND);
    assert_int_equal(priv_file_account(S("people"), S("bare@example.test"), S("bare"), &right), OK);
    assert_int_equal(priv_file_account(S("people"), S("nobody@example.test"), none, NULL), E_NOT_FOUND);
    assert_int_equal(priv_file_account(S("gone"), S("u0@example.test"), none, NULL), E_UNSUPPORTED);
    assert_int_equal(priv_file_account(S("other"), S("u0@example.test"), none, NULL), E_UNSUPPORTED);
    priv_end();
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(too_many),
                                       cmocka_unit_test(questions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
