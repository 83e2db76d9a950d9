/*
 * TLS on a connection (RFC 8446, RFC 5246; STARTTLS: RFC 3207). OpenSSL reads and writes through a BIO
 * on the connection's io and never sleeps inside: it says what it waits for, the fiber sleeps, the step
 * is taken again. The error queue is per thread and so read before anything that yields.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- the BIO ----------------------------------------------------------------------------------------- */

static int bio_read(BIO *b, char *p, size_t n, size_t *ret_n)
{
    struct tls_session *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    err e = io_try_read(&t->c->io, p, n, ret_n);
    if (e == OK && *ret_n > 0)
        return 1;
    if (e == E_AGAIN) {
        BIO_set_retry_read(b);
        return -1;
    }
    if (e == OK)
        t->eof = true;
    else
        t->io_e = e;
    return 0;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *ret_n)
{
    struct tls_session *t = BIO_get_data(b);
    struct iovec v = {(void *)(uintptr_t)p, n};
    BIO_clear_retry_flags(b);
    err e = io_try_write(&t->c->io, &v, 1, ret_n);
    if (e == OK)
        return 1;
    if (e == E_AGAIN)
        BIO_set_retry_write(b);
    else
        t->io_e = e;
    return -1;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    const struct tls_session *t = BIO_get_data(b);
    (void)num, (void)ptr;
    if (cmd == BIO_CTRL_EOF)
        return t->eof;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static BIO_METHOD *bio_method;
static void bio_method_make(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
    if (m && BIO_meth_set_read_ex(m, bio_read) && BIO_meth_set_write_ex(m, bio_write) &&
        BIO_meth_set_ctrl(m, bio_ctrl) && BIO_meth_set_create(m, bio_create))
        bio_method = m;
    else
        BIO_meth_free(m);
}

/* ---- steps -------------------------------------------------------------------------------------------- */

/* What the result r of an SSL call means, before anything else may touch the error queue. */
static err outcome(struct tls_session *t, int r, struct buf *ret_why)
{
    if (r > 0)
        return OK;
    int code = SSL_get_error(t->ssl, r);
    t->want_write = code == SSL_ERROR_WANT_WRITE;
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
        return E_AGAIN;
    tls_reason(ret_why);
    if (code == SSL_ERROR_ZERO_RETURN)
        return E_CLOSED;
    if (t->io_e)
        return t->io_e;
    if (t->eof)
        return E_RESET;
    return E_TLS;
}

err tls_try_read(struct conn *c, void *p, size_t n, size_t *ret_n)
{
    ERR_clear_error();
    return outcome(c->tls, SSL_read_ex(c->tls->ssl, p, n, ret_n), NULL);
}

err tls_try_write(struct conn *c, const void *p, size_t n, size_t *ret_n)
{
    ERR_clear_error();
    return outcome(c->tls, SSL_write_ex(c->tls->ssl, p, n, ret_n), NULL);
}

err tls_wait(struct conn *c)
{
    return c->tls->want_write ? io_wait_write(&c->io, c->deadline) : io_wait_read(&c->io, c->deadline);
}

bool tls_has_input(const struct conn *c) { return SSL_has_pending(c->tls->ssl); }
size_t tls_pending(const struct conn *c) { return (size_t)SSL_pending(c->tls->ssl); }

void tls_bye(struct conn *c)
{
    for (;;) {
        ERR_clear_error();
        int r = SSL_shutdown(c->tls->ssl);
        if (r >= 0 || outcome(c->tls, r, NULL) != E_AGAIN || !c->tls->want_write || tls_wait(c) != OK)
            return;
    }
}

void tls_free(struct conn *c)
{
    struct tls_session *t = c->tls;
    if (!t)
        return;
    c->tls = NULL;
    SSL_free(t->ssl);
    ERR_clear_error();
    tls_server_drop(&t->server);
    free(t);
}

/* ---- handshakes ---------------------------------------------------------------------------------------- */

static void say(struct buf *ret_why, const char *what)
{
    if (ret_why && ret_why->n == 0)
        buf_add_c(ret_why, what);
}

/* A session on c from now on; nothing in clear may be left in either direction. */
static err begin(struct conn *c, SSL_CTX *ctx, struct buf *ret_why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, bio_method_make);
    if (conn_flush(c) != OK)
        return c->e;
    if (c->tls || conn_buffered(c)) {
        say(ret_why, c->tls ? "TLS runs already" : "plain text before the handshake");
        return conn_fail(c, E_TLS);
    }
    struct tls_session *t = calloc(1, sizeof *t);
    BIO *b = t && bio_method ? BIO_new(bio_method) : NULL;
    if (b && ctx)
        t->ssl = SSL_new(ctx);
    if (!b || !t->ssl) {
        BIO_free(b);
        free(t);
        ERR_clear_error();
        return conn_fail(c, E_NOMEM);
    }
    t->c = c;
    BIO_set_data(b, t);
    SSL_set_bio(t->ssl, b, b);
    SSL_set_read_ahead(t->ssl, 1);
    c->tls = t;
    return OK;
}

static err shake_hands(struct conn *c, struct buf *ret_why)
{
    struct tls_session *t = c->tls;
    for (;;) {
        ERR_clear_error();
        err e = outcome(t, SSL_do_handshake(t->ssl), ret_why);
        if (e == OK)
            return OK;
        if (e == E_AGAIN)
            e = tls_wait(c);
        if (e == E_CLOSED)
            e = E_RESET;
        if (e)
            return conn_fail(c, e);
    }
}

err tls_accept(struct conn *c, struct tls_server *s, struct buf *ret_why)
{
    if (c->e != OK || begin(c, tls_server_default(s), ret_why) != OK)
        return c->e;
    c->tls->server = tls_server_ref(s);
    SSL_set_accept_state(c->tls->ssl);
    if (shake_hands(c, ret_why) == OK)
        metric_add(M_tls_in, 1);
    return c->e;
}

/* The name to send and to find in the certificate; an address is looked for but not sent (RFC 6066 3). */
static bool set_name(SSL *ssl, str name, bool verify)
{
    char z[256];
    struct ip ip;
    if (!str_to_c(name, z, sizeof z))
        return false;
    bool is_ip = ip_parse(name, &ip);
    if (verify) {
        X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (!*z || !(is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, z) : X509_VERIFY_PARAM_set1_host(param, z, 0)))
            return false;
    }
    return is_ip || !*z || SSL_set_tlsext_host_name(ssl, z);
}

/* RFC 7672 3.1: no name and no dates with DANE-EE(3); with DANE-TA(2) the base domain or the next-hop domain. */
static err set_dane(struct conn *c, const struct tls_client_config *cfg, struct buf *ret_why)
{
    SSL *ssl = c->tls->ssl;
    char name[256], also[256];
    int usable = 0;
    if (!str_to_c(cfg->name, name, sizeof name) || !str_to_c(cfg->also, also, sizeof also) ||
        SSL_dane_enable(ssl, name) <= 0)
        return conn_fail(c, E_TLS_NAME);
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 0; i < cfg->ntlsa; i++) {
        const struct tls_tlsa *r = &cfg->tlsa[i];
        usable +=
            SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching, (const unsigned char *)r->data.p, r->data.n) > 0;
    }
    ERR_clear_error();
    if (!usable || (*also && !SSL_add1_host(ssl, also))) {
        say(ret_why, "no TLSA record can be used");
        return conn_fail(c, E_TLS_NAME);
    }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return OK;
}

static err prepare_client(struct conn *c, const struct tls_client_config *cfg, struct buf *ret_why)
{
    bool verify = cfg->verify == TLS_VERIFY || cfg->verify == TLS_LOOK;
    SSL *ssl = c->tls->ssl;
    SSL_set_connect_state(ssl);
    if (cfg->verify == TLS_LOOK)
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    ERR_clear_error();
    if (cfg->verify == TLS_DANE)
        return set_dane(c, cfg, ret_why);
    if (!set_name(ssl, cfg->name, verify)) {
        say(ret_why, "not a name that a certificate can have");
        return conn_fail(c, E_TLS_NAME);
    }
    if (verify && cfg->ca_pem) {
        X509_STORE *roots = NULL;
        err e = tls_store_of(cfg->ca_pem, &roots);
        if (e) {
            say(ret_why, "no certificate in the file of roots");
            return conn_fail(c, e);
        }
        if (!SSL_set0_verify_cert_store(ssl, roots))
            return conn_fail(c, E_NOMEM);
    }
    return OK;
}

static enum tls_fault fault_of(long code)
{
    switch (code) {
    case X509_V_OK:
        return TLS_FAULT_NONE;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAULT_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TLS_FAULT_EXPIRED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return TLS_FAULT_TRUST;
    default:
        return TLS_FAULT_OTHER;
    }
}

/* What was found out about the certificate, for whoever asked. */
static void tell_fault(const struct conn *c, const struct tls_client_config *cfg, struct buf *ret_why)
{
    long code = SSL_get_verify_result(c->tls->ssl);
    if (!cfg->ret_fault || cfg->verify == TLS_ANY)
        return;
    *cfg->ret_fault = fault_of(code);
    if (code != X509_V_OK)
        say(ret_why, X509_verify_cert_error_string(code));
}

err tls_connect(struct conn *c, const struct tls_client_config *cfg, struct buf *ret_why)
{
    bool verify = cfg->verify != TLS_ANY;
    if (c->e != OK || begin(c, tls_client_ctx(verify), ret_why) != OK || prepare_client(c, cfg, ret_why) != OK)
        return c->e;
    tls_resume(c, cfg);
    if (shake_hands(c, ret_why) == OK) {
        c->tls->verified = verify && cfg->verify != TLS_LOOK;
        tell_fault(c, cfg, ret_why);
        metric_add(M_tls_out, 1);
        metric_add(M_tls_resumed, SSL_session_reused(c->tls->ssl));
        return OK;
    }
    long why = SSL_get_verify_result(c->tls->ssl);
    if (verify && c->e == E_TLS && why != X509_V_OK) {
        c->e = E_TLS_NAME;
        if (ret_why) {
            buf_clear(ret_why);
            buf_add_c(ret_why, X509_verify_cert_error_string(why));
        }
        tell_fault(c, cfg, ret_why);
    }
    return c->e;
}

bool tls_info(const struct conn *c, struct tls_info *ret)
{
    if (!c->tls)
        return false;
    const SSL *ssl = c->tls->ssl;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    *ret = (struct tls_info){.version = SSL_get_version(ssl),
                             .cipher = cipher ? SSL_CIPHER_get_name(cipher) : "",
                             .bits = cipher ? SSL_CIPHER_get_bits(cipher, NULL) : 0,
                             .resumed = SSL_session_reused(ssl),
                             .verified = c->tls->verified};
    if (sni)
        (void)str_to_c(str_c(sni), ret->sni, sizeof ret->sni);
    return true;
}

bool tls_binding(const struct conn *c, unsigned char ret[32])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    if (!c->tls)
        return false;
    SSL *ssl = c->tls->ssl;
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return false;
    bool ok = SSL_export_keying_material(ssl, ret, 32, label, sizeof label - 1, (const unsigned char *)"", 0, 1) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}
