#include "base/test.h"
#include "base/codec.h"
#include "priv/internal.h"

#include <gsasl.h>

#include <fcntl.h>
#include <time.h>

static char path[64];
static int dir;

static int set_up(void **state)
{
    (void)state;
    struct buf why;
    buf_init(&why, 1000);
    snprintf(path, sizeof path, "/tmp/sasl-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(priv_secrets_open(dir, &why), OK);
    assert_int_equal(priv_secret_set(S("Alice@Example.test"), S(""), S("wonderland")), OK);
    assert_int_equal(priv_secret_set(S("alice@example.test"), S("printer"), S("abc-def")), OK);
    assert_int_equal(priv_secret_set(S("j\xc3\xb6rg@example.test"), S(""), S("p\xc3\xa4ss\xc2\xaa")), OK);
    buf_free(&why);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    priv_secrets_close();
    unlinkat(dir, "secrets.db", 0);
    unlinkat(dir, "secrets.db-journal", 0);
    close(dir);
    rmdir(path);
    return 0;
}

static void plain(void **state)
{
    (void)state;
    static const struct {
        str in;
        enum priv_result want;
        const char *account, *title;
    } rows[] = {
        {S_INIT("\0alice@example.test\0wonderland"), PRIV_DONE, "alice@example.test", ""},
        {S_INIT("\0ALICE@EXAMPLE.TEST\0wonderland"), PRIV_DONE, "alice@example.test", ""},
        {S_INIT("alice@example.test\0alice@example.test\0wonderland"), PRIV_DONE, "alice@example.test", ""},
        {S_INIT("\0alice\0wonderland"), PRIV_DONE, "alice@example.test", ""},
        {S_INIT("\0alice@example.test\0abc-def"), PRIV_DONE, "alice@example.test", "printer"},
        {S_INIT("\0alice@example.test/printer\0abc-def"), PRIV_DONE, "alice@example.test", "printer"},
        {S_INIT("\0alice@example.test/printer\0wonderland"), PRIV_WRONG, NULL, NULL},
        {S_INIT("\0alice@example.test\0wonderlan"), PRIV_WRONG, NULL, NULL},
        {S_INIT("\0alice@example.test\0Wonderland"), PRIV_WRONG, NULL, NULL},
        {S_INIT("\0nobody@example.test\0wonderland"), PRIV_WRONG, NULL, NULL},
        {S_INIT("bob@example.test\0alice@example.test\0wonderland"), PRIV_WRONG, NULL, NULL},
        /* U+00AA is U+0061 after SASLprep (RFC 4013 3) */
        {S_INIT("\0j\xc3\xb6rg@example.test\0p\xc3\xa4ssa"), PRIV_DONE, "j\xc3\xb6rg@example.test", ""},
        {S_INIT("\0alice@example.test"), PRIV_BAD, NULL, NULL},
        {S_INIT("alice@example.test"), PRIV_BAD, NULL, NULL},
        {S_INIT("\0\0wonderland"), PRIV_BAD, NULL, NULL},
        {S_INIT("\0alice@example.test\0"), PRIV_BAD, NULL, NULL},
        {S_INIT("\0alice@example.test\0won\0derland"), PRIV_BAD, NULL, NULL},
        {S_INIT(""), PRIV_BAD, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct priv_sasl s = {.mech = PRIV_PLAIN, .domain = S("example.test")};
        struct buf out;
        buf_init(&out, 4096);
        enum priv_result r = priv_sasl_step(&s, rows[i].in, &out);
        if (r != rows[i].want)
            fail_msg("row %zu: %d", i, r);
        if (rows[i].account) {
            assert_string_equal(s.account, rows[i].account);
            assert_string_equal(s.title, rows[i].title);
        }
        priv_sasl_end(&s);
        buf_free(&out);
    }
}

static void login(void **state)
{
    (void)state;
    for (int initial = 0; initial < 2; initial++)
        for (int good = 0; good < 2; good++) {
            struct priv_sasl s = {.mech = PRIV_LOGIN};
            struct buf out;
            buf_init(&out, 4096);
            if (!initial) {
                assert_int_equal(priv_sasl_step(&s, (str){NULL, 0}, &out), PRIV_MORE);
                assert_str(buf_str(&out), "Username:");
                buf_clear(&out);
            }
            assert_int_equal(priv_sasl_step(&s, S("alice@example.test"), &out), PRIV_MORE);
            assert_str(buf_str(&out), "Password:");
            assert_true(priv_sasl_is_costly(&s));
            assert_int_equal(priv_sasl_step(&s, good ? S("wonderland") : S("x"), &out), good ? PRIV_DONE : PRIV_WRONG);
            priv_sasl_end(&s);
            buf_free(&out);
        }
}

static int set_b64(Gsasl_session *g, Gsasl_property prop, const void *p, size_t n)
{
    char mem[128] = "";
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem - 1);
    base64_encode(&b, str_mem(p, n));
    return gsasl_property_set(g, prop, mem);
}

/* ---- SCRAM against the client of the same library, as the gsasl command has it ---- */

struct client {
    const char *name, *password;
    const unsigned char *binding;
};

static int answer(Gsasl *ctx, Gsasl_session *g, Gsasl_property prop)
{
    (void)ctx;
    const struct client *c = gsasl_session_hook_get(g);
    switch (prop) {
    case GSASL_AUTHID:
        return gsasl_property_set(g, prop, c->name);
    case GSASL_PASSWORD:
        return gsasl_property_set(g, prop, c->password);
    case GSASL_CB_TLS_EXPORTER:
        return c->binding ? set_b64(g, prop, c->binding, 32) : GSASL_NO_CALLBACK;
    default:
        return GSASL_NO_CALLBACK;
    }
}

static enum priv_result converse(struct priv_sasl *s, const char *mech, struct client *c)
{
    Gsasl *lib;
    Gsasl_session *g;
    char *out = NULL;
    size_t n = 0;
    struct buf back;
    buf_init(&back, 4096);
    assert_int_equal(gsasl_init(&lib), GSASL_OK);
    gsasl_callback_set(lib, answer);
    assert_int_equal(gsasl_client_start(lib, mech, &g), GSASL_OK);
    gsasl_session_hook_set(g, c);
    enum priv_result r = PRIV_MORE;
    int rc = gsasl_step(g, NULL, 0, &out, &n);
    while ((rc == GSASL_OK || rc == GSASL_NEEDS_MORE) && r == PRIV_MORE) {
        buf_clear(&back);
        r = priv_sasl_step(s, str_mem(out, n), &back);
        gsasl_free(out);
        out = NULL;
        if (r == PRIV_MORE || r == PRIV_DONE)
            rc = gsasl_step(g, back.p, back.n, &out, &n);
    }
    gsasl_free(out);
    if (r == PRIV_DONE)
        assert_int_equal(rc, GSASL_OK); /* the server has shown that it knows the password, too */
    gsasl_finish(g);
    gsasl_done(lib);
    buf_free(&back);
    return r;
}

static void scram(void **state)
{
    (void)state;
    unsigned char here[32] = "binding of this connection", there[32] = "another";
    static const struct {
        const char *name, *password;
        bool plus, wrong_binding;
        enum priv_result want;
    } rows[] = {
        {"alice@example.test", "wonderland", false, false, PRIV_DONE},
        {"alice@example.test", "wonderland", true, false, PRIV_DONE},
        {"alice@example.test", "wonderland", true, true, PRIV_WRONG},
        {"alice@example.test", "Wonderland", false, false, PRIV_WRONG},
        {"alice@example.test/printer", "abc-def", true, false, PRIV_DONE},
        {"nobody@example.test", "wonderland", false, false, PRIV_WRONG},
        {"j\xc3\xb6rg@example.test", "p\xc3\xa4ssa", false, false, PRIV_DONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct priv_sasl s = {.mech = rows[i].plus ? PRIV_SCRAM_PLUS : PRIV_SCRAM, .bound = true};
        memcpy(s.binding, here, sizeof here);
        struct client c = {rows[i].name, rows[i].password, rows[i].plus ? rows[i].wrong_binding ? there : here : NULL};
        enum priv_result r = converse(&s, priv_mech_name(s.mech), &c);
        if (r != rows[i].want)
            fail_msg("row %zu: %d", i, r);
        priv_sasl_end(&s);
    }
}

/* A client that believes that we have no channel binding was lied to (RFC 5802 6). */
static void downgrade(void **state)
{
    (void)state;
    struct priv_sasl s = {.mech = PRIV_SCRAM, .bound = true};
    struct buf out;
    buf_init(&out, 4096);
    enum priv_result r = priv_sasl_step(&s, S("y,,n=alice@example.test,r=abcdefghijkl"), &out);
    assert_true(r == PRIV_WRONG || r == PRIV_BAD);
    priv_sasl_end(&s);
    /* A name that does not exist has a salt that stays the same. */
    char first[200] = "";
    for (int i = 0; i < 2; i++) {
        struct priv_sasl t = {.mech = PRIV_SCRAM};
        buf_clear(&out);
        assert_int_equal(priv_sasl_step(&t, S("n,,n=nobody@example.test,r=abcdefghijkl"), &out), PRIV_MORE);
        str salt = str_skip(buf_str(&out), str_search(buf_str(&out), S(",s=")));
        if (i)
            assert_str(salt, first);
        else
            assert_true(str_to_c(salt, first, sizeof first));
        priv_sasl_end(&t);
    }
    buf_free(&out);
}

static void verifiers(void **state)
{
    (void)state;
    struct scram v;
    char hash[PRIV_HASH_MAX], text[PRIV_HASH_MAX];
    assert_int_equal(password_make(S("x"), hash, text), OK);
    assert_true(scram_parse(str_c(text), &v) && v.rounds == SCRAM_ROUNDS);
    assert_true(password_fits(str_c(hash), S("x")));
    assert_false(password_fits(str_c(hash), S("y")));
    assert_true(password_fits(S("{PLAIN}secret"), S("secret")));
    assert_false(password_fits(S("{PLAIN}secret"), S("secre")));
    assert_false(password_fits(S(""), S("")));
    assert_int_equal(password_make(S(""), hash, text), E_SYNTAX);
    assert_int_equal(password_make(S("a\0b"), hash, text), E_SYNTAX);
    char *longest = calloc(1, PRIV_PASSWORD_MAX + 1);
    memset(longest, 'x', PRIV_PASSWORD_MAX + 1);
    assert_int_equal(password_make(str_mem(longest, PRIV_PASSWORD_MAX), hash, text), OK);
    assert_int_equal(password_make(str_mem(longest, PRIV_PASSWORD_MAX + 1), hash, text), E_LIMIT);
    free(longest);
    static const char *const bad[] = {"", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:c2FsdA==$x:y",
                                      "SCRAM-SHA-256$12:c2FsdA==$x:y", "SCRAM-SHA-1$4096:c2FsdA==$x:y"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(scram_parse(str_c(bad[i]), &v));
    assert_false(password_hash_valid(S("")));
    assert_false(password_hash_valid(S("hello")));
}

static void credentials_bounded(void **state)
{
    (void)state;
    char title[16];
    for (int i = 0; i < PRIV_CREDENTIALS_MAX; i++) {
        struct priv_secret s = {.account = S("many@example.test"), .hash = S("{PLAIN}x")};
        snprintf(title, sizeof title, "t%d", i);
        s.title = str_c(title);
        assert_int_equal(priv_secret_put(&s), OK);
    }
    struct priv_secret s = {.account = S("many@example.test"), .title = S("more"), .hash = S("{PLAIN}x")};
    assert_int_equal(priv_secret_put(&s), E_QUEUE_FULL);
    s.title = S("t0"); /* in place of one */
    assert_int_equal(priv_secret_put(&s), OK);
    s.hash = S("no hash");
    assert_int_equal(priv_secret_put(&s), E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain),     cmocka_unit_test(login),
                                       cmocka_unit_test(scram),     cmocka_unit_test(downgrade),
                                       cmocka_unit_test(verifiers), cmocka_unit_test(credentials_bounded)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
