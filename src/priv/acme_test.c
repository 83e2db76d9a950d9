/* Keys and certificate of ACME in the keeper: what is asked for, what is kept, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "priv/acme.c"

static char dir[40];

static EVP_PKEY *key_in(const char *name)
{
    EVP_PKEY *k = NULL;
    assert_int_equal(read_key(name, &k), OK);
    return k;
}

static void test_csr(void **state)
{
    (void)state;
    static const str names[] = {S_INIT("mx.example.test"), S_INIT("mail.example.test")},
                     bad[] = {S_INIT("a,DNS:b.test")};
    AUTO_BUF csr;
    buf_init(&csr, PRIV_MESSAGE_MAX);
    assert_int_equal(priv_acme_csr(names, 2, &csr), OK);
    const unsigned char *p = (const unsigned char *)csr.p;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)csr.n);
    assert_non_null(r);
    EVP_PKEY *key = key_in(KEY);
    assert_int_equal(X509_REQ_verify(r, X509_REQ_get0_pubkey(r)), 1);
    assert_int_equal(EVP_PKEY_eq(key, X509_REQ_get0_pubkey(r)), 1);
    STACK_OF(X509_EXTENSION) *all = X509_REQ_get_extensions(r);
    GENERAL_NAMES *san = X509V3_get_d2i(all, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(san), 2);
    GENERAL_NAMES_free(san);
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    EVP_PKEY_free(key);
    X509_REQ_free(r);
    buf_clear(&csr);
    assert_int_equal(priv_acme_csr(bad, 1, &csr), E_TLS);
    static char big[PRIV_MESSAGE_MAX + 1];
    memset(big, 'a', sizeof big);
    assert_int_equal(priv_acme_csr(&(str){big, sizeof big}, 1, &csr), E_LIMIT);
}

/* A chain that begins with a certificate of this key; `size` octets long. */
static str chain_of(EVP_PKEY *key, size_t size)
{
    static char text[CHAIN_MAX + 1];
    X509 *x = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 1000);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, x);
    char *p;
    size_t n = (size_t)BIO_get_mem_data(b, &p);
    memset(text, '#', sizeof text);
    memcpy(text, p, n);
    BIO_free(b);
    X509_free(x);
    return (str){text, size ? size : n};
}

static void test_store(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7, CHAIN_MAX};
    EVP_PKEY *key = key_in(KEY), *other = EVP_EC_gen("P-256");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        static char got[CHAIN_MAX + 1];
        str c = chain_of(key, sizes[i]);
        assert_int_equal(priv_acme_store(c), OK);
        int fd = openat(folder, CHAIN, O_RDONLY);
        assert_int_equal(read(fd, got, sizeof got), c.n);
        assert_memory_equal(got, c.p, c.n);
        close(fd);
    }
    assert_int_equal(priv_acme_store(chain_of(key, CHAIN_MAX + 1)), E_LIMIT);
    assert_int_equal(priv_acme_store(S("")), E_LIMIT);
    assert_int_equal(priv_acme_store(S("no certificate")), E_TLS);
    assert_int_equal(priv_acme_store(chain_of(other, 0)), E_TLS); /* not of our key */
    /* A piece whose beginning another keeper had is asked for again from the start. */
    struct buf none;
    char piece[16] = {8, 0, 0, 0, 16, 0, 0, 0};
    buf_init_fixed(&none, NULL, 0);
    have = 0;
    assert_int_equal(priv_do_acme_store(str_mem(piece, sizeof piece), &none), E_NOT_FOUND);
    /* Lies about lengths. */
    static const unsigned char lies[][9] = {{0, 0, 0, 0, 0, 0, 0, 0, 'x'},
                                            {9, 0, 0, 0, 8, 0, 0, 0, 'x'},
                                            {255, 255, 255, 255, 4, 0, 0, 0, 'x'},
                                            {0, 0, 0, 0, 255, 255, 255, 255, 'x'}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(priv_do_acme_store(str_mem(lies[i], 9), &none), E_LIMIT);
    assert_int_equal(priv_do_acme_store(S("short"), &none), E_LIMIT);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void test_bad_key(void **state)
{
    (void)state;
    unsigned char xy[64];
    assert_int_equal(priv_file_write(folder, ACCOUNT, S("no key")), OK);
    assert_int_equal(priv_acme_key(xy), E_TLS); /* kept as it is: somebody may want to know what it was */
    struct buf out;
    buf_init_fixed(&out, xy, sizeof xy);
    assert_int_equal(priv_do_acme_sign(S("not a digest"), &out), E_SYNTAX);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/priv-acme-XXXXXX");
    priv_acme_open(mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
    return folder < 0 ? -1 : 0;
}
static int tear_down(void **state)
{
    (void)state;
    unlinkat(folder, KEY, 0);
    unlinkat(folder, ACCOUNT, 0);
    unlinkat(folder, CHAIN, 0);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_csr), cmocka_unit_test(test_store),
                                       cmocka_unit_test(test_bad_key)};
    return cmocka_run_group_tests_name("priv/acme", tests, set_up, tear_down);
}
