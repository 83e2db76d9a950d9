/* Keys that the server makes for mail: made once, signing, removed; names that would lead elsewhere. */
#include "base/buf.h"
#include "priv/priv.h"
#include "priv/sign_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"

#define NAME S("rsa20261122._domainkey.example.test")
static int dir;

static void life(void **state)
{
    (void)state;
    struct buf a, b, sig;
    unsigned char hash[PRIV_MAC_SIZE] = {1};
    buf_init(&a, 2048);
    buf_init(&b, 2048);
    buf_init(&sig, 2048);
    assert_int_equal(priv_mail_sign(NAME, hash, &sig), E_NOT_FOUND);
    assert_int_equal(priv_dkim_make(NAME, true, &a), OK);
    assert_true(str_starts(buf_str(&a), S("v=DKIM1; k=rsa; p=")));
    assert_int_equal(priv_dkim_make(NAME, true, &b), OK); /* again: the same */
    assert_true(str_eq(buf_str(&a), buf_str(&b)));
    assert_int_equal(priv_dkim_make(NAME, false, &b), E_EXISTS);
    assert_int_equal(priv_mail_sign(NAME, hash, &sig), OK);
    assert_int_equal(sig.n, 256);
    buf_clear(&sig);
    assert_int_equal(priv_mail_sign(NAME, hash, &sig), OK); /* from memory */
    assert_int_equal(faccessat(dir, "dkim.rsa20261122._domainkey.example.test.key", R_OK, 0), 0);
    assert_int_equal(priv_dkim_drop(NAME), OK);
    assert_int_equal(priv_dkim_drop(NAME), OK);
    assert_int_equal(priv_mail_sign(NAME, hash, &sig), E_NOT_FOUND);
    assert_true(faccessat(dir, "dkim.rsa20261122._domainkey.example.test.key", F_OK, 0) < 0);
    buf_clear(&b);
    assert_int_equal(priv_dkim_make(S("ed._domainkey.example.test"), false, &b), OK);
    assert_true(str_starts(buf_str(&b), S("v=DKIM1; k=ed25519; p=")));
    buf_free(&a);
    buf_free(&b);
    buf_free(&sig);
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "../x", "a/../b", "a..b", ".a", "a b", "a\nb", "\xc3\xa4"};
    char large[300];
    struct buf out;
    buf_init(&out, 2048);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(priv_dkim_make(str_c(bad[i]), false, &out), E_SYNTAX);
        assert_int_equal(priv_dkim_drop(str_c(bad[i])), E_SYNTAX);
    }
    memset(large, 'a', sizeof large);
    assert_int_equal(priv_dkim_make(str_mem(large, 200), false, &out), OK);
    assert_int_equal(priv_dkim_make(str_mem(large, 250), false, &out), E_LIMIT);
    buf_free(&out);
}

int main(void)
{
    char path[] = "/tmp/postrider-keys-XXXXXX", command[100];
    static const struct CMUnitTest tests[] = {cmocka_unit_test(life), cmocka_unit_test(names)};
    if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 1;
    priv_mail_keys_open(dir);
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -r %s", path);
    return system(command) ? 1 : status;
}
