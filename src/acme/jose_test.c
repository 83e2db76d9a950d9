/* The encodings of ACME messages, by the examples of RFC 7515, RFC 7517 and RFC 7638, and a message whose signature is
 * checked by OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "acme/jose.c"
#include "base/codec.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <stdlib.h>

/* RFC 4648 10 without padding; RFC 7515 C. */
static void test_base64url(void **state)
{
    (void)state;
    static const struct {
        str in;
        const char *out;
    } cases[] = {{S_INIT(""), ""},
                 {S_INIT("f"), "Zg"},
                 {S_INIT("fo"), "Zm8"},
                 {S_INIT("foo"), "Zm9v"},
                 {S_INIT("foobar"), "Zm9vYmFy"},
                 {S_INIT("\x03\xec\xff\xe0\xc1"), "A-z_4ME"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_BUF b;
        buf_init(&b, 100);
        base64url_encode(&b, cases[i].in);
        assert_true(str_eq(buf_str(&b), str_c(cases[i].out)));
    }
}

/* The key of RFC 7515 A.3. */
static void test_jwk(void **state)
{
    (void)state;
    static const struct jose_key k = {{127, 205, 206, 39,  112, 246, 196, 93,  65,  131, 203, 238, 111, 219, 75,  123,
                                       88,  7,   51,  53,  123, 233, 239, 19,  186, 207, 110, 60,  123, 209, 84,  69,
                                       199, 241, 68,  205, 27,  189, 155, 126, 135, 44,  223, 237, 185, 238, 185, 244,
                                       179, 105, 93,  110, 169, 11,  36,  173, 138, 70,  35,  40,  133, 136, 229, 173}};
    AUTO_BUF b;
    AUTO_BUF t;
    buf_init(&b, 1000);
    buf_init(&t, 1000);
    jose_jwk(&b, &k);
    assert_true(str_eq(buf_str(&b), S("{\"crv\":\"P-256\",\"kty\":\"EC\","
                                      "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}")));
    assert_int_equal(jose_thumbprint(&t, &k), OK);
    assert_int_equal(t.n, 43);
}

static bool verifies(const struct jose_key *k, str text, const unsigned char sig[64])
{
    unsigned char point[65] = {4}, *der = NULL;
    memcpy(point + 1, k->xy, 64);
    OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t) "P-256", 0),
                      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
                      OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    assert_true(EVP_PKEY_fromdata_init(c) > 0 && EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, p) > 0);
    ECDSA_SIG *s = ECDSA_SIG_new();
    ECDSA_SIG_set0(s, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
    int n = i2d_ECDSA_SIG(s, &der);
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(m, NULL, EVP_sha256(), NULL, key) > 0 &&
              EVP_DigestVerify(m, der, (size_t)n, (const unsigned char *)text.p, text.n) > 0;
    EVP_MD_CTX_free(m);
    OPENSSL_free(der);
    ECDSA_SIG_free(s);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(c);
    return ok;
}

static str value(str json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    size_t at = str_search(json, str_c(key));
    assert_true(at != STR_NONE);
    str rest = str_skip(json, at + strlen(key));
    return str_sub(rest, 0, str_find(rest, '"'));
}

static void decode(str s, unsigned char ret[64])
{
    AUTO_BUF b;
    AUTO_BUF padded;
    buf_init(&b, 100);
    buf_init(&padded, 100);
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(&padded, s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i]);
    buf_add(&padded, S("=="));
    assert_int_equal(base64_decode(&b, buf_str(&padded)), OK);
    assert_int_equal(b.n, 64);
    memcpy(ret, b.p, 64);
}

static void test_sign(void **state)
{
    (void)state;
    char dir[] = "/tmp/acme-test-XXXXXX", path[100];
    assert_non_null(mkdtemp(dir));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct jose_key k, again;
    priv_acme_open(-1);
    assert_int_equal(priv_acme_key(k.xy), E_UNSUPPORTED);
    priv_acme_open(fd);
    assert_int_equal(priv_acme_key(k.xy), OK);
    assert_int_equal(priv_acme_key(again.xy), OK);
    assert_memory_equal(&k, &again, sizeof k); /* made once */
    for (int turn = 0; turn < 40; turn++) {    /* r or s begins with a zero octet now and then */
        AUTO_BUF b;
        AUTO_BUF text;
        unsigned char sig[64];
        buf_init(&b, 10000);
        buf_init(&text, 10000);
        assert_int_equal(jose_sign(&b, &k, turn % 2 ? S("https://ca.test/1") : S(""), S("n\"1"), S("https://ca.test/x"),
                                   turn % 3 ? S("{}") : S("")),
                         OK);
        buf_add(&text, value(buf_str(&b), "protected"));
        buf_add_char(&text, '.');
        buf_add(&text, value(buf_str(&b), "payload"));
        decode(value(buf_str(&b), "signature"), sig);
        assert_true(verifies(&k, buf_str(&text), sig));
        sig[5] ^= 1;
        assert_false(verifies(&k, buf_str(&text), sig));
    }
    snprintf(path, sizeof path, "%s/acme-account.key", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_base64url), cmocka_unit_test(test_jwk),
                                       cmocka_unit_test(test_sign)};
    return cmocka_run_group_tests_name("acme/jose", tests, NULL, NULL);
}
