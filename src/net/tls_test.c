/* TLS between two ends of a socket pair: names, resumption, versions, truncation, injection. */
#include "net/test_pair.h"

#include "net/tls.c"

#include <netinet/in.h>

#include <openssl/pem.h>

enum { BULK = 3 * 1000 * 1000 };

struct pem {
    struct buf cert, key;
};
static struct pem one, two, star; /* mx.one.test, mx.two.test, *.three.test */
static struct tls_server *server, *server_13, *server_again;
static char bulk[BULK];

static struct pem make(const char *name)
{
    struct pem p;
    buf_init(&p.cert, 8192);
    buf_init(&p.key, 8192);
    CHECK(tls_self_signed(str_c(name), &p.cert, &p.key) == OK);
    buf_add_char(&p.cert, 0);
    buf_add_char(&p.key, 0);
    CHECK(p.cert.e == OK && p.key.e == OK);
    return p;
}

static struct tls_server *serve(int min_version)
{
    const char *cert[] = {one.cert.p, two.cert.p, star.cert.p}, *key[] = {one.key.p, two.key.p, star.key.p};
    struct tls_server_config c = {.cert_pem = cert, .key_pem = key, .n = 3, .min_version = min_version};
    struct tls_server *s;
    struct buf why;
    buf_init(&why, 200);
    CHECK(tls_server_new(&s, &c, &why) == OK && why.n == 0);
    return s;
}

static void prepare(void)
{
    one = make("mx.one.test");
    two = make("mx.two.test");
    star = make("three.test");
    /* The third gets its wildcard by hand: tls_self_signed makes none. */
    BIO *b = BIO_new_mem_buf(star.key.p, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    X509 *x = X509_new();
    X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_ASC,
                               (const unsigned char *)"*.three.test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_gmtime_adj(X509_getm_notBefore(x), -100);
    X509_gmtime_adj(X509_getm_notAfter(x), 100000);
    X509_set_pubkey(x, key);
    CHECK(X509_sign(x, key, EVP_sha256()));
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    char *p;
    long n = BIO_get_mem_data(out, &p);
    buf_clear(&star.cert);
    buf_add(&star.cert, str_mem(p, (size_t)n));
    buf_add_char(&star.cert, 0);
    BIO_free(out);
    X509_free(x);
    EVP_PKEY_free(key);
    server = serve(0);
    server_13 = serve(TLS1_3_VERSION);
    server_again = serve(TLS1_2_VERSION);
}

static void give_back(void)
{
    tls_server_drop(&server);
    tls_server_drop(&server_13);
    tls_server_drop(&server_again);
    tls_server_drop(&server);
    struct pem *all[] = {&one, &two, &star};
    for (int i = 0; i < 3; i++) {
        buf_free(&all[i]->cert);
        buf_free(&all[i]->key);
    }
}

/* ---- one session ---- */

static void echo(struct conn *b, void *arg)
{
    str s;
    struct tls_info info;
    CHECK(tls_accept(b, arg, NULL) == OK && tls_info(b, &info));
    while (conn_readline(b, 4096, &s, NULL) == OK) {
        CHECK(conn_write(b, s) == OK && conn_write(b, S(" ok\r\n")) == OK);
        if (str_eq(s, S("QUIT"))) {
            conn_end(b);
            return;
        }
    }
}

static void test_session(void)
{
    struct pair p;
    struct tls_info info;
    str s;
    struct tls_client_config cfg = {.verify = TLS_ANY, .name = S("mx.one.test")};
    pair_open(&p, echo, server);
    CHECK(!tls_info(&p.a, &info));
    CHECK(tls_connect(&p.a, &cfg, NULL) == OK);
    CHECK(tls_info(&p.a, &info) && strcmp(info.version, "TLSv1.3") == 0 && info.bits >= 128 && !info.resumed);
    CHECK(!info.verified && strcmp(info.sni, "mx.one.test") == 0);
    CHECK(conn_write(&p.a, S("EHLO x\r\nNOOP\r\n")) == OK);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "EHLO x ok"));
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "NOOP ok"));
    CHECK(conn_buffered(&p.a) == 0 && !conn_readable(&p.a) && p.a.in == NULL);
    CHECK(conn_write(&p.a, S("QUIT\r\n")) == OK);
    CHECK(conn_readline(&p.a, 512, &s, NULL) == OK && says(s, "QUIT ok"));
    CHECK(conn_readline(&p.a, 512, &s, NULL) == E_CLOSED);
    pair_close(&p);
}

/* ---- names ---- */

static void accept_only(struct conn *b, void *arg)
{
    str s;
    if (tls_accept(b, arg, NULL) == OK)
        (void)conn_readline(b, 100, &s, NULL);
}

static void test_names(void)
{
    static const struct {
        const char *name, *common;
    } cases[] = {
        {"mx.one.test", "mx.one.test"},
        {"mx.two.test", "mx.two.test"},
        {"MX.Two.test", "mx.two.test"},
        {"a.three.test", "*.three.test"},
        {"a.b.three.test", "mx.one.test"},
        {"unknown.test", "mx.one.test"},
        {"", "mx.one.test"},
        {"192.0.2.1", "mx.one.test"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair p;
        char got[100];
        struct tls_client_config cfg = {.verify = TLS_ANY, .name = str_c(cases[i].name)};
        pair_open(&p, accept_only, server);
        CHECK(tls_connect(&p.a, &cfg, NULL) == OK);
        X509 *x = SSL_get0_peer_certificate(p.a.tls->ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, got, sizeof got);
        CHECK(strcmp(got, cases[i].common) == 0);
        conn_end(&p.a);
        pair_close(&p);
    }
}

static void test_verify(void)
{
    static const struct {
        const char *name;
        struct pem *roots;
        err e;
        const char *why;
    } cases[] = {
        {"mx.one.test", &one, OK, ""},
        {"mx.one.test", &one, OK, ""},
        {"a.three.test", &star, OK, ""},
        {"mx.one.test", &two, E_TLS_NAME, "self-signed certificate"},
        {"mx.one.test", NULL, E_TLS_NAME, "self-signed certificate"},
        {"mx.other.test", &one, E_TLS_NAME, "hostname mismatch"},
        {"192.0.2.1", &one, E_TLS_NAME, "IP address mismatch"},
        {"", &one, E_TLS_NAME, "not a name that a certificate can have"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair p;
        struct buf why;
        struct tls_info info;
        const char *roots = cases[i].roots ? cases[i].roots->cert.p : NULL;
        struct tls_client_config cfg = {.verify = TLS_VERIFY, .name = str_c(cases[i].name), .ca_pem = roots};
        buf_init(&why, 200);
        pair_open(&p, accept_only, server);
        CHECK(tls_connect(&p.a, &cfg, &why) == cases[i].e);
        CHECK(says(buf_str(&why), cases[i].why));
        CHECK(cases[i].e || (tls_info(&p.a, &info) && info.verified));
        conn_end(&p.a);
        pair_close(&p);
        buf_free(&why);
    }
    struct pair p;
    struct tls_client_config cfg = {.verify = TLS_VERIFY, .name = S("mx.one.test"), .ca_pem = "no PEM"};
    pair_open(&p, NULL, NULL);
    CHECK(tls_connect(&p.a, &cfg, NULL) == E_TLS);
    pair_close(&p);
}

/* ---- versions and resumption, with a client made by hand ---- */

static err connect_by_hand(struct conn *c, int version, SSL_SESSION *resume)
{
    CHECK(begin(c, tls_client_ctx(false), NULL) == OK);
    SSL_set_connect_state(c->tls->ssl);
    SSL_set_tlsext_host_name(c->tls->ssl, "mx.two.test");
    SSL_set_cipher_list(c->tls->ssl, "ALL:@SECLEVEL=0");
    SSL_set_min_proto_version(c->tls->ssl, version);
    SSL_set_max_proto_version(c->tls->ssl, version);
    if (resume)
        SSL_set_session(c->tls->ssl, resume);
    return shake_hands(c, NULL);
}

static void test_versions(void)
{
    struct {
        struct tls_server *s;
        int version;
        err e;
    } cases[] = {
        {server, TLS1_1_VERSION, E_TLS},    {server, TLS1_2_VERSION, OK},    {server, TLS1_3_VERSION, OK},
        {server_13, TLS1_2_VERSION, E_TLS}, {server_13, TLS1_3_VERSION, OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair p;
        pair_open(&p, accept_only, cases[i].s);
        CHECK(connect_by_hand(&p.a, cases[i].version, NULL) == cases[i].e);
        conn_end(&p.a);
        pair_close(&p);
    }
}

static void test_resumption(void)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        SSL_SESSION *kept = NULL;
        /* The second session meets another generation of contexts, as after a reload. */
        for (int turn = 0; turn < 2; turn++) {
            struct pair p;
            struct tls_info info;
            str s;
            pair_open(&p, echo, turn ? server_again : server);
            CHECK(connect_by_hand(&p.a, versions[i], kept) == OK);
            CHECK(tls_info(&p.a, &info) && info.resumed == turn);
            CHECK(conn_write(&p.a, S("NOOP\r\n")) == OK && conn_readline(&p.a, 100, &s, NULL) == OK);
            SSL_SESSION_free(kept);
            kept = turn ? NULL : SSL_get1_session(p.a.tls->ssl);
            conn_end(&p.a);
            pair_close(&p);
        }
    }
}

/* What a client keeps: only under the same address, name, roots and way of verifying is a session resumed. */
struct met {
    enum tls_verify verify;
    const char *name, *ca_pem;
    uint16_t port;
    uint8_t tlsa; /* usage of a record of server one's key; 0: none */
};

static bool meet(const struct met *m)
{
    struct pair p;
    struct tls_info info;
    str s;
    unsigned char spki[32];
    struct tls_tlsa tlsa = {m->tlsa, 1, 1, str_mem(spki, sizeof spki)};
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(SSL_CTX_get0_certificate(tls_server_default(server))), &der);
    CHECK(n > 0 && EVP_Digest(der, (size_t)n, spki, NULL, EVP_sha256(), NULL) == 1);
    OPENSSL_free(der);
    struct tls_client_config cfg = {.verify = m->verify, .name = str_c(m->name), .ca_pem = m->ca_pem, .resume = true};
    if (m->tlsa)
        cfg.tlsa = &tlsa, cfg.ntlsa = 1;
    pair_open(&p, echo, server);
    if (m->port) {
        struct sockaddr_in at = {
            .sin_family = AF_INET, .sin_port = htons(m->port), .sin_addr.s_addr = htonl(0xc0000201)};
        memcpy(&p.a.peer, &at, sizeof at);
    }
    CHECK(tls_connect(&p.a, &cfg, NULL) == OK && tls_info(&p.a, &info));
    CHECK(info.verified == (m->verify == TLS_VERIFY || m->verify == TLS_DANE));
    CHECK(conn_write(&p.a, S("NOOP\r\n")) == OK && conn_readline(&p.a, 100, &s, NULL) == OK);
    conn_end(&p.a);
    pair_close(&p);
    return info.resumed;
}

static void test_client_resumes(void)
{
    const struct met kinds[] = {
        {TLS_VERIFY, "mx.one.test", one.cert.p, 25, 0}, {TLS_ANY, "mx.one.test", NULL, 25, 0},
        {TLS_ANY, "mx.two.test", NULL, 25, 0},          {TLS_ANY, "mx.one.test", NULL, 26, 0},
        {TLS_DANE, "mx.one.test", NULL, 25, 3},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int turn = 0; turn < 3; turn++) /* what the others left does not fit */
            CHECK(meet(&kinds[i]) == (turn > 0));
    const struct met nowhere = {TLS_ANY, "mx.one.test", NULL, 0, 0};
    CHECK(!meet(&nowhere) && !meet(&nowhere));
}

/* ---- what a peer may do wrong ---- */

static void starttls(struct conn *b, void *arg)
{
    str s;
    struct buf why;
    buf_init(&why, 200);
    CHECK(conn_readline(b, 100, &s, NULL) == OK && says(s, "STARTTLS"));
    CHECK(conn_write(b, S("220 go\r\n")) == OK);
    CHECK(tls_accept(b, arg, &why) == E_TLS && says(buf_str(&why), "plain text before the handshake"));
    CHECK(b->tls == NULL && conn_readline(b, 100, &s, NULL) == E_TLS);
    buf_free(&why);
    conn_close(b);
}

static void test_injection(void)
{
    struct pair p;
    str s;
    pair_open(&p, starttls, server);
    CHECK(conn_write(&p.a, S("STARTTLS\r\nMAIL FROM:<>\r\n")) == OK);
    CHECK(conn_readline(&p.a, 100, &s, NULL) == OK && says(s, "220 go"));
    CHECK(conn_readline(&p.a, 100, &s, NULL) != OK);
    pair_close(&p);
}

static void read_to_end(struct conn *b, void *arg)
{
    str s;
    CHECK(tls_accept(b, server, NULL) == OK);
    err e;
    while ((e = conn_readline(b, 100, &s, NULL)) == OK)
        CHECK(says(s, "NOOP"));
    CHECK(e == *(const err *)arg);
}

/* Implicit TLS behind a balancer: the handshake follows its header at once. */
static void proxied(struct conn *b, void *arg)
{
    struct proxyp header;
    CHECK(conn_read_proxy(b, &header) == OK && header.src.port == 5);
    CHECK(tls_accept(b, arg, NULL) == OK);
}

static void test_proxied(void)
{
    struct pair p;
    struct tls_client_config cfg = {.verify = TLS_ANY};
    pair_open(&p, proxied, server);
    CHECK(conn_write(&p.a, S("PROXY TCP4 192.0.2.1 192.0.2.2 5 465\r\n")) == OK);
    CHECK(tls_connect(&p.a, &cfg, NULL) == OK);
    pair_close(&p);
}

static void test_endings(void)
{
    static const err ends[] = {E_CLOSED, E_RESET, E_TLS};
    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        struct tls_client_config cfg = {.verify = TLS_ANY};
        size_t n;
        struct iovec raw = {(void *)(uintptr_t) "RCPT TO:<a@b.test>\r\n", 20};
        pair_open(&p, read_to_end, (void *)(uintptr_t)&ends[i]);
        CHECK(tls_connect(&p.a, &cfg, NULL) == OK);
        CHECK(conn_write(&p.a, S("NOOP\r\n")) == OK && conn_flush(&p.a) == OK);
        if (ends[i] == E_CLOSED) {
            conn_end(&p.a);
        } else if (ends[i] == E_RESET) {
            conn_close(&p.a); /* no close_notify: truncated */
        } else {
            CHECK(io_write(&p.a.io, &raw, 1, rt_after(RT_S), &n) == OK);
        }
        pair_close(&p);
    }
}

static void not_tls(struct conn *b, void *arg)
{
    (void)arg;
    str s;
    if (arg)
        CHECK(conn_write(b, str_c(arg)) == OK && conn_flush(b) == OK);
    while (conn_peek(b, &s) == OK)
        conn_took(b, s.n);
}

static void test_not_tls(void)
{
    static const struct {
        const char *text;
        err e;
    } cases[] = {{"EHLO mx.one.test\r\nMAIL FROM:<>\r\n", E_TLS}, {"\x16\x03\x01\xff\xff", E_TLS}, {NULL, E_TIMEOUT}};
    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        struct buf why;
        buf_init(&why, 200);
        pair_open(&p, not_tls, (void *)(uintptr_t)cases[i].text);
        p.a.deadline = rt_after(30 * RT_MS);
        CHECK(tls_accept(&p.a, server, &why) == cases[i].e);
        CHECK((why.n > 0) == (cases[i].e == E_TLS));
        conn_end(&p.a);
        pair_close(&p);
        buf_free(&why);
    }
}

/* ---- much data, in both directions at once ---- */

static void send_bulk(struct conn *c)
{
    struct iovec v[] = {{bulk, 10}, {bulk + 10, BULK - 20}, {bulk + BULK - 10, 10}};
    CHECK(conn_writev(c, v, 3) == OK && conn_flush(c) == OK);
}

static void take_bulk(struct conn *c)
{
    size_t have = 0, n;
    char *got = malloc(BULK);
    while (have < BULK) {
        CHECK(conn_read(c, got + have, BULK - have, &n) == OK);
        have += n;
    }
    CHECK(memcmp(got, bulk, BULK) == 0);
    free(got);
}

static void bulk_writer(void *arg) { send_bulk(arg); }

static void bulk_peer(struct conn *b, void *arg)
{
    CHECK(tls_accept(b, arg, NULL) == OK);
    CHECK(fiber_spawn(bulk_writer, b, "writer"));
    take_bulk(b);
    str s;
    CHECK(conn_readline(b, 100, &s, NULL) == E_CLOSED && !b->writing);
}

static void test_bulk(void)
{
    struct pair p;
    struct tls_client_config cfg = {.verify = TLS_ANY};
    for (size_t i = 0; i < BULK; i++)
        bulk[i] = (char)(i * 31 + i / 4099);
    pair_open(&p, bulk_peer, server);
    CHECK(tls_connect(&p.a, &cfg, NULL) == OK);
    CHECK(fiber_spawn(bulk_writer, &p.a, "writer"));
    take_bulk(&p.a);
    while (p.a.bytes_out < BULK || p.a.writing)
        fiber_yield();
    conn_end(&p.a);
    pair_close(&p);
}

static void all_cases(void *arg, int index)
{
    (void)arg, (void)index;
    prepare();
    CHECK(tls_setup() == OK);
    test_session();
    test_names();
    test_verify();
    test_versions();
    test_resumption();
    test_client_resumes();
    test_injection();
    test_proxied();
    test_endings();
    test_not_tls();
    test_bulk();
    give_back();
    rt_stop();
}

static void test_tls(void **state)
{
    (void)state;
    world(1, all_cases);
}

/* ---- what tls_server_new says about bad files ---- */

static void test_bad_files(void **state)
{
    (void)state;
    struct pem a = make("a.test"), b = make("b.test");
    const struct {
        const char *cert, *key, *why;
    } cases[] = {
        {a.cert.p, b.key.p, "private key: key values mismatch"}, {"", a.key.p, "certificate: no start line"},
        {a.key.p, a.key.p, "certificate: no start line"},        {a.cert.p, "", "private key: unsupported"},
        {a.cert.p, a.cert.p, "private key: unsupported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_server *s = NULL;
        struct buf why;
        struct tls_server_config c = {.cert_pem = &cases[i].cert, .key_pem = &cases[i].key, .n = 1};
        buf_init(&why, 200);
        assert_int_equal(tls_server_new(&s, &c, &why), E_TLS);
        assert_null(s);
        buf_add_char(&why, 0);
        assert_string_equal(why.p, cases[i].why);
        buf_free(&why);
    }
    const char *cert = a.cert.p, *key = a.key.p;
    struct tls_server *s = NULL;
    struct tls_server_config c = {.cert_pem = &cert, .key_pem = &key, .n = 1, .ciphers = "NOT-A-CIPHER"};
    assert_int_equal(tls_server_new(&s, &c, NULL), E_TLS);
    c.n = 0;
    assert_int_equal(tls_server_new(&s, &c, NULL), E_TLS);
    struct pem none = {0};
    assert_int_equal(tls_self_signed(S(""), &none.cert, &none.key), E_SYNTAX);
    assert_int_equal(tls_self_signed(S("a,DNS:b.test"), &none.cert, &none.key), E_SYNTAX);
    buf_free(&a.cert), buf_free(&a.key), buf_free(&b.cert), buf_free(&b.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bad_files), cmocka_unit_test(test_tls)};
    return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}
