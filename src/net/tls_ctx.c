/*
 * What TLS sessions are made from: identities with their names, the keys of session tickets, the client's
 * side with its roots, and a self-signed pair for a first start. One SSL_CTX per identity, never one per
 * connection: OpenSSL 3.0 pays dearly for a context.
 */
#include "net/tls.h"
#include "priv/priv.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* TLS 1.2 only: forward secrecy, ciphers in the order of the client's hardware being unknown to us. */
#define SERVER_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK:@STRENGTH"
/* Without verification any encryption is better than none (RFC 7435), so old keys and hashes are taken. */
#define ANY_CIPHERS "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0"
#define VERIFY_CIPHERS "DEFAULT:!aNULL:!eNULL:@SECLEVEL=2"
#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define TICKET_LIFE (12 * 3600 * RT_S)

enum { STORES = 16, SELF_SIGNED_DAYS = 3652 };

void tls_reason(struct buf *ret_why)
{
    unsigned long code = ERR_get_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    if (ret_why && ret_why->n == 0 && code)
        buf_add_c(ret_why, text ? text : "error without a name");
    ERR_clear_error();
}

static err refuse(struct buf *ret_why, const char *what)
{
    if (ret_why) {
        buf_add_c(ret_why, what);
        unsigned long code = ERR_peek_error();
        const char *text = code ? ERR_reason_error_string(code) : NULL;
        if (text)
            buf_printf(ret_why, ": %s", text);
    }
    ERR_clear_error();
    return E_TLS;
}

/* ---- session tickets (RFC 5077, RFC 8446 4.6.1): keys of the process, renewed twice a day ------------------ */

struct ticket_key {
    unsigned char name[16], aes[32], mac[32];
    rt_time born;
};
static struct {
    struct lock lock;
    struct ticket_key now, before;
    bool any;
} tickets;

/* The key to seal with; false without random bytes. */
static bool ticket_key_now(struct ticket_key *ret)
{
    struct ticket_key fresh = {.born = rt_now()};
    bool ok = true;
    lock_take(&tickets.lock);
    if (!tickets.any || fresh.born - tickets.now.born > TICKET_LIFE) {
        ok = RAND_bytes(fresh.name, sizeof fresh.name) == 1 && RAND_bytes(fresh.aes, sizeof fresh.aes) == 1 &&
             RAND_bytes(fresh.mac, sizeof fresh.mac) == 1;
        if (ok) {
            tickets.before = tickets.any ? tickets.now : fresh;
            tickets.now = fresh;
            tickets.any = true;
        }
    }
    *ret = tickets.now;
    lock_drop(&tickets.lock);
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return ok;
}

/* 1: found, 2: found and to be renewed, 0: unknown. */
static int ticket_key_find(const unsigned char name[16], struct ticket_key *ret)
{
    int found = 0;
    lock_take(&tickets.lock);
    if (tickets.any && memcmp(name, tickets.now.name, 16) == 0)
        *ret = tickets.now, found = 1;
    else if (tickets.any && memcmp(name, tickets.before.name, 16) == 0)
        *ret = tickets.before, found = 2;
    lock_drop(&tickets.lock);
    if (found && rt_now() - ret->born > 2 * TICKET_LIFE)
        found = 0;
    return found;
}

static int ticket_cb(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int seal)
{
    struct ticket_key k = {0};
    int found = 1;
    (void)ssl;
    if (seal) {
        if (!ticket_key_now(&k) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
        memcpy(name, k.name, sizeof k.name);
    } else if (!(found = ticket_key_find(name, &k))) {
        return 0;
    }
    char digest[] = "sha256";
    OSSL_PARAM p[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.mac, sizeof k.mac),
                      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    bool ok = EVP_MAC_CTX_set_params(mac, p) && EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.aes, iv, seal);
    OPENSSL_cleanse(&k, sizeof k);
    return ok ? found : -1;
}

/* ---- identities -------------------------------------------------------------------------------------------- */

struct tls_server {
    atomic_int refs;
    size_t n;
    SSL_CTX *ctx[];
};

/* Never asks a terminal for a pass phrase. */
static int no_passphrase(char *p, int n, int rw, void *arg)
{
    (void)p, (void)n, (void)rw, (void)arg;
    return -1;
}

static err install_chain(SSL_CTX *ctx, const char *pem, struct buf *ret_why)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *x = b ? PEM_read_bio_X509_AUX(b, NULL, no_passphrase, NULL) : NULL;
    bool ok = x && SSL_CTX_use_certificate(ctx, x);
    X509_free(x);
    while (ok && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)))
        if (!SSL_CTX_add0_chain_cert(ctx, x)) {
            X509_free(x);
            ok = false;
        }
    if (ok && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error();
    ok = ok && !ERR_peek_error();
    BIO_free(b);
    return ok ? OK : refuse(ret_why, "certificate");
}

static err install_key(SSL_CTX *ctx, const char *pem, struct buf *ret_why)
{
    if (!pem)
        return priv_tls_key(ctx) == OK ? OK : refuse(ret_why, "private key");
    BIO *b = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_check_private_key(ctx);
    EVP_PKEY_free(key);
    BIO_free(b);
    return ok ? OK : refuse(ret_why, "private key");
}

static bool name_fits(SSL_CTX *ctx, const char *name, bool wildcard)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | (wildcard ? 0 : X509_CHECK_FLAG_NO_WILDCARDS);
    X509 *x = SSL_CTX_get0_certificate(ctx);
    return x && X509_check_host(x, name, 0, flags, NULL) == 1;
}

/* An unknown name gets the default: a client that cannot accept it says so itself (RFC 6066 3). */
static int choose_identity(SSL *ssl, int *alert, void *arg)
{
    struct tls_server *s = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    for (int wildcard = 0; wildcard < 2; wildcard++)
        for (size_t i = 0; i < s->n; i++)
            if (name_fits(s->ctx[i], name, wildcard)) {
                if (i > 0)
                    SSL_set_SSL_CTX(ssl, s->ctx[i]);
                return SSL_TLSEXT_ERR_OK;
            }
    return SSL_TLSEXT_ERR_NOACK;
}

/* Clients that speak of protocols and not of ours are refused (RFC 7301 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *arg)
{
    str want = str_c(arg), all = str_mem(in, in_n);
    (void)ssl;
    while (all.n) {
        size_t n = (unsigned char)all.p[0];
        if (str_eq(str_sub(all, 1, n + 1), want)) {
            *out = (const unsigned char *)all.p + 1;
            *out_n = (unsigned char)n;
            return SSL_TLSEXT_ERR_OK;
        }
        all = str_skip(all, n + 1);
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *ctx_new(const SSL_METHOD *method, int min_version, const char *ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(ctx, min_version ? min_version : TLS1_2_VERSION) &&
        SSL_CTX_set_cipher_list(ctx, ciphers))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static err identity_new(SSL_CTX **ret, struct tls_server *s, const struct tls_server_config *c, size_t i,
                        struct buf *ret_why)
{
    static const unsigned char sid[] = "postrider";
    SSL_CTX *ctx = ctx_new(TLS_server_method(), c->min_version, c->ciphers ? c->ciphers : SERVER_CIPHERS);
    if (!ctx)
        return refuse(ret_why, c->ciphers ? "cipher list" : "TLS context");
    err e = install_chain(ctx, c->cert_pem[i], ret_why);
    if (e == OK)
        e = install_key(ctx, c->key_pem ? c->key_pem[i] : NULL, ret_why);
    if (e) {
        SSL_CTX_free(ctx);
        return e;
    }
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_id_context(ctx, sid, sizeof sid - 1);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_cb);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_identity);
    SSL_CTX_set_tlsext_servername_arg(ctx, s);
    if (c->alpn)
        SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, (void *)(uintptr_t)c->alpn);
    *ret = ctx;
    return OK;
}

err tls_server_new(struct tls_server **ret, const struct tls_server_config *c, struct buf *ret_why)
{
    struct tls_server *s = c->n ? calloc(1, sizeof *s + c->n * sizeof s->ctx[0]) : NULL;
    if (!s)
        return c->n ? E_NOMEM : refuse(ret_why, "no certificate");
    atomic_store(&s->refs, 1);
    ERR_clear_error();
    for (; s->n < c->n; s->n++) {
        err e = identity_new(&s->ctx[s->n], s, c, s->n, ret_why);
        if (e) {
            tls_server_drop(&s);
            return e;
        }
    }
    *ret = s;
    return OK;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void tls_server_drop(struct tls_server **s)
{
    struct tls_server *old = *s;
    *s = NULL;
    if (!old || atomic_fetch_sub(&old->refs, 1) != 1)
        return;
    for (size_t i = 0; i < old->n; i++)
        SSL_CTX_free(old->ctx[i]);
    free(old);
}

int64_t tls_server_ends(const struct tls_server *s)
{
    int64_t first = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct tm t;
        X509 *x = SSL_CTX_get0_certificate(s->ctx[i]);
        if (!x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &t) != 1)
            continue;
        int64_t end = timegm(&t);
        first = first == 0 || end < first ? end : first;
    }
    return first;
}

SSL_CTX *tls_server_default(const struct tls_server *s) { return s->ctx[0]; }

/* ---- the client's side ---------------------------------------------------------------------------------------- */

static SSL_CTX *client_any, *client_verify;
static pthread_once_t client_once = PTHREAD_ONCE_INIT;

static void client_make(void)
{
    client_any = ctx_new(TLS_client_method(), 0, ANY_CIPHERS);
    client_verify = ctx_new(TLS_client_method(), 0, VERIFY_CIPHERS);
    for (int i = 0; i < 2; i++) {
        SSL_CTX *ctx = i ? client_verify : client_any;
        if (!ctx)
            continue;
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, tls_resume_keep);
    }
    if (client_any) {
        SSL_CTX_set_verify(client_any, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_options(client_any, SSL_OP_LEGACY_SERVER_CONNECT);
    }
    if (client_verify) {
        SSL_CTX_set_verify(client_verify, SSL_VERIFY_PEER, NULL);
        SSL_CTX_dane_enable(client_verify);
        if (!SSL_CTX_load_verify_file(client_verify, SYSTEM_ROOTS))
            SSL_CTX_set_default_verify_paths(client_verify);
    }
    ERR_clear_error();
}

SSL_CTX *tls_client_ctx(bool verify)
{
    (void)pthread_once(&client_once, client_make);
    return verify ? client_verify : client_any;
}

err tls_setup(void) { return tls_client_ctx(false) && tls_client_ctx(true) ? OK : E_NOMEM; }

/* Stores made from PEM texts, so that a route's roots are read once and not for each connection. */
static struct {
    struct lock lock;
    struct {
        char *pem;
        X509_STORE *store;
    } v[STORES];
    unsigned next;
} stores;

static X509_STORE *store_find(const char *pem)
{
    X509_STORE *found = NULL;
    lock_take(&stores.lock);
    for (size_t i = 0; i < STORES && !found; i++)
        if (stores.v[i].pem && strcmp(stores.v[i].pem, pem) == 0 && X509_STORE_up_ref(stores.v[i].store))
            found = stores.v[i].store;
    lock_drop(&stores.lock);
    return found;
}

static void store_keep(const char *pem, X509_STORE *store)
{
    char *copy = strdup(pem), *old_pem;
    if (!copy || !X509_STORE_up_ref(store)) {
        free(copy);
        return;
    }
    lock_take(&stores.lock);
    unsigned at = stores.next++ % STORES;
    old_pem = stores.v[at].pem;
    X509_STORE *old = stores.v[at].store;
    stores.v[at].pem = copy;
    stores.v[at].store = store;
    lock_drop(&stores.lock);
    free(old_pem);
    X509_STORE_free(old);
}

err tls_store_of(const char *pem, X509_STORE **ret)
{
    X509_STORE *s = store_find(pem);
    if (s) {
        *ret = s;
        return OK;
    }
    size_t n = 0;
    X509 *x;
    BIO *b = BIO_new_mem_buf(pem, -1);
    s = X509_STORE_new();
    while (b && s && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL))) {
        n += X509_STORE_add_cert(s, x) == 1;
        X509_free(x);
    }
    BIO_free(b);
    ERR_clear_error();
    if (!n) {
        X509_STORE_free(s);
        return E_TLS;
    }
    store_keep(pem, s);
    *ret = s;
    return OK;
}

/* ---- a self-signed pair --------------------------------------------------------------------------------------------
 */

static bool add_ext(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static bool name_self(X509 *x, const char *host)
{
    char san[300];
    struct ip ip;
    X509_NAME *name = X509_get_subject_name(x);
    /* ub-common-name is 64: a longer name stands in the extension alone. */
    if (strlen(host) <= 64 &&
        !X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)host, -1, -1, 0))
        return false;
    snprintf(san, sizeof san, "%s:%s", ip_parse(str_c(host), &ip) ? "IP" : "DNS", host);
    return X509_set_issuer_name(x, name) && add_ext(x, NID_subject_alt_name, san) &&
           add_ext(x, NID_basic_constraints, "critical,CA:FALSE") &&
           add_ext(x, NID_ext_key_usage, "serverAuth,clientAuth");
}

static bool sign_self(X509 *x, EVP_PKEY *key, const char *host)
{
    uint64_t serial;
    return RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 && X509_set_version(x, X509_VERSION_3) &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) &&
           X509_gmtime_adj(X509_getm_notBefore(x), -86400L) &&
           X509_time_adj_ex(X509_getm_notAfter(x), SELF_SIGNED_DAYS, 0, NULL) && X509_set_pubkey(x, key) &&
           name_self(x, host) && X509_sign(x, key, EVP_sha256());
}

static bool bio_into(struct buf *out, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    if (n <= 0)
        return false;
    buf_add(out, str_mem(p, (size_t)n));
    OPENSSL_cleanse(p, (size_t)n);
    return out->e == OK;
}

err tls_self_signed(str hostname, struct buf *cert_pem, struct buf *key_pem)
{
    char host[256];
    for (size_t i = 0; i < hostname.n; i++)
        if (!ascii_alnum(hostname.p[i]) && !memchr(".-:_", hostname.p[i], 4))
            return E_SYNTAX;
    if (hostname.n == 0 || !str_to_c(hostname, host, sizeof host))
        return E_SYNTAX;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *cert = BIO_new(BIO_s_mem()), *priv = BIO_new(BIO_s_mem());
    bool ok = key && x && cert && priv && sign_self(x, key, host) && PEM_write_bio_X509(cert, x) &&
              PEM_write_bio_PKCS8PrivateKey(priv, key, NULL, NULL, 0, NULL, NULL) && bio_into(cert_pem, cert) &&
              bio_into(key_pem, priv);
    BIO_free(cert);
    BIO_free(priv);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok ? OK : E_NOMEM;
}
