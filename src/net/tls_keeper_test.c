/* Certificates whose keys are elsewhere: every kind of key in both versions of TLS, over a real keeper process, in many
 * handshakes at once; and what happens when the key is not there. */
#include "net/test_pair.h"
#include "net/tls.h"
#include "priv/priv.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <signal.h>
#include <sys/prctl.h>

struct kind {
    const char *type;
    size_t bits;
    const char *group;
    struct buf cert, key;
};
static struct kind kinds[] = {{"RSA", 2048, NULL}, {"RSA", 3072, NULL},  {"EC", 0, "P-256"}, {"EC", 0, "P-384"},
                              {"EC", 0, "P-521"},  {"ED25519", 0, NULL}, {"ED448", 0, NULL}, {"EC", 0, "P-256"}};
enum { KINDS = sizeof kinds / sizeof kinds[0], ABSENT = KINDS - 1, AT_ONCE = 30 };

static void put(struct buf *b, BIO *from)
{
    char *p;
    long n = BIO_get_mem_data(from, &p);
    buf_init(b, 65536);
    buf_add(b, str_mem(p, (size_t)n));
    buf_add_char(b, 0);
    CHECK(b->e == OK);
    BIO_free(from);
}

static void make(struct kind *k)
{
    EVP_PKEY *key = k->bits    ? EVP_PKEY_Q_keygen(NULL, NULL, k->type, k->bits)
                    : k->group ? EVP_PKEY_Q_keygen(NULL, NULL, k->type, k->group)
                               : EVP_PKEY_Q_keygen(NULL, NULL, k->type);
    X509 *x = X509_new();
    BIO *cert = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());
    CHECK(key && x && cert && private);
    X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_ASC, (const unsigned char *)"a.test",
                               -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_gmtime_adj(X509_getm_notBefore(x), -100);
    X509_gmtime_adj(X509_getm_notAfter(x), 100000);
    X509_set_pubkey(x, key);
    CHECK(X509_sign(x, key, strncmp(k->type, "ED", 2) == 0 ? NULL : EVP_sha256()));
    CHECK(PEM_write_bio_X509(cert, x) && PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL));
    put(&k->cert, cert);
    put(&k->key, private);
    X509_free(x);
    EVP_PKEY_free(key);
}

static pid_t fork_keeper(const struct priv_links *links)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct priv_pair pairs[KINDS];
    for (size_t i = 0; i < KINDS; i++)
        pairs[i] = (struct priv_pair){str_c(kinds[i].cert.p), str_c(kinds[i].key.p), S("key")};
    CHECK(priv_setup(&(struct priv_secrets){.pairs = pairs, .npairs = ABSENT}) == OK);
    CHECK(priv_serve(links, 2) == OK);
    for (;;)
        pause();
}

static struct tls_server *server_of(const struct kind *k)
{
    const char *cert = k->cert.p;
    struct tls_server_config c = {.cert_pem = &cert, .n = 1};
    struct tls_server *s = NULL;
    char text[200] = "";
    struct buf why;
    buf_init_fixed(&why, text, sizeof text - 1);
    if (tls_server_new(&s, &c, &why) != OK)
        fprintf(stderr, "%s %s: %s\n", k->type, k->group ? k->group : "", text);
    CHECK(s);
    return s;
}

/* ---- one handshake: our end on the connection, the other by OpenSSL's own hand ---- */

static void serve(struct conn *b, void *arg)
{
    str s;
    err e = tls_accept(b, arg, NULL);
    if (e == OK && conn_readline(b, 100, &s, NULL) == OK)
        CHECK(conn_write(b, S("ok\r\n")) == OK && conn_flush(b) == OK);
}

static err shake(struct tls_server *s, int version)
{
    struct pair p;
    struct tls_info info = {0};
    str line;
    struct tls_client_config cfg = {.verify = TLS_ANY, .name = S("a.test")};
    /* The client has one context for all; its version is set for the time of one handshake, in which others only
     * run with the same. */
    SSL_CTX_set_max_proto_version(tls_client_ctx(false), version);
    pair_open(&p, serve, s);
    err e = tls_connect(&p.a, &cfg, NULL);
    if (e == OK) {
        CHECK(tls_info(&p.a, &info));
        CHECK(strcmp(info.version, version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3") == 0);
        e = conn_write(&p.a, S("hello\r\n"));
        e = e ? e : conn_readline(&p.a, 100, &line, NULL);
        CHECK(e || says(line, "ok"));
    }
    pair_close(&p);
    return e;
}

static int left;
static void one_of_many(void *arg)
{
    CHECK(shake(arg, TLS1_3_VERSION) == OK);
    left--;
}

static void all_cases(void *arg, int index)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)arg;
    if (index)
        return;
    CHECK(tls_setup() == OK);
    for (size_t i = 0; i < ABSENT; i++) {
        struct tls_server *s = server_of(&kinds[i]);
        for (size_t v = 0; v < 2; v++) {
            err e = shake(s, versions[v]);
            if (e)
                fprintf(stderr, "%s %zu %s: %s\n", kinds[i].type, kinds[i].bits, kinds[i].group ? kinds[i].group : "",
                        err_text(e));
            CHECK(e == OK);
        }
        left = AT_ONCE;
        for (int n = 0; n < AT_ONCE; n++)
            CHECK(fiber_spawn(one_of_many, s, "many"));
        while (left)
            CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
        tls_server_drop(&s);
    }
    struct tls_server *s = server_of(&kinds[ABSENT]);
    CHECK(shake(s, TLS1_3_VERSION) != OK && shake(s, TLS1_2_VERSION) != OK);
    tls_server_drop(&s);
    rt_stop();
}

static void test_keeper(void **state)
{
    (void)state;
    struct priv_links links;
    for (size_t i = 0; i < KINDS; i++)
        make(&kinds[i]);
    assert_int_equal(priv_links_open(&links, 2), OK);
    pid_t keeper = fork_keeper(&links);
    assert_int_equal(priv_connect(&links), OK);
    world(2, all_cases);
    kill(keeper, SIGKILL);
    waitpid(keeper, NULL, 0);
    for (size_t i = 0; i < KINDS; i++) {
        buf_free(&kinds[i].cert);
        buf_free(&kinds[i].key);
    }
}

/* What priv_setup says of keys that cannot be used. */
static void test_bad_pairs(void **state)
{
    (void)state;
    struct buf a, b, c, d;
    buf_init(&a, 8192), buf_init(&b, 8192), buf_init(&c, 8192), buf_init(&d, 8192);
    assert_int_equal(tls_self_signed(S("a.test"), &a, &b), OK);
    assert_int_equal(tls_self_signed(S("b.test"), &c, &d), OK);
    const struct {
        str cert, key;
        err e;
        const char *why;
    } cases[] = {
        {buf_str(&a), buf_str(&b), OK, ""},
        {S(""), buf_str(&b), OK, ""},
        {buf_str(&a), buf_str(&d), E_TLS, "k: not the key of the certificate: key values mismatch"},
        {buf_str(&a), S(""), E_TLS, "k: not a private key in PEM without a pass phrase: unsupported"},
        {S("x"), buf_str(&b), E_TLS, "k: not the key of the certificate: no start line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct priv_pair p = {cases[i].cert, cases[i].key, S("k")};
        char text[300] = "";
        struct buf why;
        buf_init_fixed(&why, text, sizeof text - 1);
        assert_int_equal(priv_setup(&(struct priv_secrets){.pairs = &p, .npairs = 1, .why = &why}), cases[i].e);
        assert_string_equal(text, cases[i].why);
        assert_int_equal(priv_setup(&(struct priv_secrets){.pairs = &p, .npairs = 1, .lenient = true}), OK);
    }
    priv_end();
    buf_free(&a), buf_free(&b), buf_free(&c), buf_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bad_pairs), cmocka_unit_test(test_keeper)};
    return cmocka_run_group_tests_name("net/tls_keeper", tests, NULL, NULL);
}
