/*
 * Keys of ACME (RFC 8555): the account's and the certificate's, both P-256, made when they are first asked for and kept
 * in data-dir/secrets. The certificate's key stays over renewals, so that the key and the certificate always belong
 * together and published TLSA records stay right; without its file a new one is made. The certificate is stored here
 * too, beside its key, and only when it is that key's.
 */
#include "base/cleanup.h"
#include "priv/internal.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNT "acme-account.key"
#define KEY "acme.key"
#define CHAIN "acme.crt"
enum { CHAIN_MAX = 128 * 1024, PIECE = PRIV_MESSAGE_MAX - 64, FILE_MAX = 16384 };

static int folder = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* held over files */

void priv_acme_open(int dirfd) { folder = dirfd; }

/* ---- files ---- */

/* Never asks a terminal for a pass phrase. */
static int no_passphrase(char *p, int n, int rw, void *arg)
{
    (void)p, (void)n, (void)rw, (void)arg;
    return -1;
}

static err read_key(const char *name, EVP_PKEY **ret)
{
    AUTO_FD fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_from_errno(errno);
    AUTO_FREE char *text = malloc(FILE_MAX);
    ssize_t n = text ? read(fd, text, FILE_MAX) : -1;
    if (n < 0)
        return text ? err_from_errno(errno) : E_NOMEM;
    BIO *b = BIO_new_mem_buf(text, (int)n);
    *ret = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;
    BIO_free(b);
    OPENSSL_cleanse(text, (size_t)n);
    return *ret ? OK : E_TLS;
}

static err make_key(const char *name, EVP_PKEY **ret)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    err e = E_NOMEM;
    if (key && b && PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL)) {
        long n = BIO_get_mem_data(b, &p);
        e = priv_file_write(folder, name, str_mem(p, (size_t)n));
        OPENSSL_cleanse(p, (size_t)n);
    }
    BIO_free(b);
    if (e)
        EVP_PKEY_free(key);
    else
        *ret = key;
    return e;
}

/* Made at the first time; two threads never make two. */
static err key_of(const char *name, EVP_PKEY **ret)
{
    if (folder < 0)
        return E_UNSUPPORTED;
    pthread_mutex_lock(&lock);
    err e = read_key(name, ret);
    if (e == E_NOT_FOUND)
        e = make_key(name, ret);
    pthread_mutex_unlock(&lock);
    ERR_clear_error();
    return e;
}

/* ---- the account ---- */

err priv_do_acme_key(str in, struct buf *out)
{
    EVP_PKEY *key = NULL;
    unsigned char point[65];
    size_t n = 0;
    (void)in;
    err e = key_of(ACCOUNT, &key);
    if (!e && (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) ||
               n != sizeof point || point[0] != 4))
        e = E_TLS; /* not P-256, or not uncompressed */
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!e)
        buf_add(out, str_mem(point + 1, 64));
    return e;
}

/* ES256 (RFC 7518 3.4): r and s, 32 octets each. */
static bool r_and_s(const unsigned char *der, size_t n, unsigned char ret[64])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok;
}

err priv_do_acme_sign(str digest, struct buf *out)
{
    EVP_PKEY *key = NULL;
    unsigned char der[128], raw[64];
    size_t n = sizeof der;
    if (digest.n != 32)
        return E_SYNTAX;
    err e = key_of(ACCOUNT, &key);
    EVP_PKEY_CTX *c = e ? NULL : EVP_PKEY_CTX_new(key, NULL);
    if (!e && (!c || EVP_PKEY_sign_init(c) <= 0 || EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) <= 0 ||
               EVP_PKEY_sign(c, der, &n, (const unsigned char *)digest.p, digest.n) <= 0 || !r_and_s(der, n, raw)))
        e = E_TLS;
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!e)
        buf_add(out, str_mem(raw, sizeof raw));
    return e;
}

/* ---- the certificate ---- */

static bool add_names(X509_REQ *r, str names)
{
    AUTO_BUF b;
    str name;
    buf_init(&b, PRIV_MESSAGE_MAX * 2);
    for (bool first = true; str_cut(&names, ' ', &name); first = false) {
        for (size_t i = 0; i < name.n; i++)
            if (!ascii_alnum(name.p[i]) && !memchr(".-_", name.p[i], 3))
                return false;
        buf_printf(&b, "%sDNS:" STR_FMT, first ? "" : ",", STR_ARG(name));
    }
    buf_add_char(&b, 0);
    STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *e = b.e ? NULL : X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, b.p);
    bool ok = all && e && sk_X509_EXTENSION_push(all, e) && X509_REQ_add_extensions(r, all);
    if (all)
        sk_X509_EXTENSION_free(all);
    X509_EXTENSION_free(e);
    return ok;
}

err priv_do_acme_csr(str names, struct buf *out)
{
    EVP_PKEY *key = NULL;
    unsigned char *der = NULL;
    int n = 0;
    err e = key_of(KEY, &key);
    X509_REQ *r = e ? NULL : X509_REQ_new();
    if (!e && (!r || !X509_REQ_set_version(r, 0) || !X509_REQ_set_pubkey(r, key) || !add_names(r, names) ||
               !X509_REQ_sign(r, key, EVP_sha256()) || (n = i2d_X509_REQ(r, &der)) <= 0))
        e = E_TLS;
    if (!e)
        buf_add(out, str_mem(der, (size_t)n));
    OPENSSL_free(der);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return e;
}

static bool is_of_key(str chain, EVP_PKEY *key)
{
    BIO *b = BIO_new_mem_buf(chain.p, (int)chain.n);
    X509 *x = b ? PEM_read_bio_X509(b, NULL, no_passphrase, NULL) : NULL;
    bool ok = x && X509_check_private_key(x, key);
    X509_free(x);
    BIO_free(b);
    return ok;
}

static char *chain; /* CHAIN_MAX; made for the first piece */
static size_t have; /* octets of it, from the beginning */

/* Pieces in order: where this one begins, how long the whole is. The last one stores it. */
err priv_do_acme_store(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    uint32_t at = cur_u32(&c), whole = cur_u32(&c);
    str piece = cur_bytes(&c, c.n);
    EVP_PKEY *key = NULL;
    (void)out;
    if (c.bad || whole > CHAIN_MAX || at > whole || piece.n > whole - at)
        return E_LIMIT;
    pthread_mutex_lock(&lock);
    err e = at <= have || at == 0 ? OK : E_NOT_FOUND; /* another keeper had the beginning */
    if (!e && !chain && !(chain = malloc(CHAIN_MAX)))
        e = E_NOMEM;
    if (!e) {
        memcpy(chain + at, piece.p, piece.n);
        have = at + piece.n;
    }
    bool all = !e && have == whole;
    pthread_mutex_unlock(&lock);
    if (!all)
        return e;
    e = key_of(KEY, &key);
    if (!e)
        e = is_of_key(str_mem(chain, whole), key) ? priv_file_write(folder, CHAIN, str_mem(chain, whole)) : E_TLS;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return e;
}

/* ---- the worker's side ---- */

err priv_acme_key(unsigned char ret[64])
{
    struct buf out;
    buf_init_fixed(&out, ret, 64);
    err e = priv_call(PRIV_acme_key, S(""), &out);
    return e ? e : out.n == 64 ? OK : E_BUG;
}

err priv_acme_sign(const unsigned char digest[32], unsigned char ret[64])
{
    struct buf out;
    buf_init_fixed(&out, ret, 64);
    err e = priv_call(PRIV_acme_sign, str_mem(digest, 32), &out);
    return e ? e : out.n == 64 ? OK : E_BUG;
}

err priv_acme_csr(const str *names, size_t n, struct buf *out)
{
    AUTO_BUF in;
    buf_init(&in, PRIV_MESSAGE_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_add(&in, i ? S(" ") : S(""));
        buf_add(&in, names[i]);
    }
    return in.e ? in.e : priv_call(PRIV_acme_csr, buf_str(&in), out);
}

err priv_acme_store(str text)
{
    AUTO_BUF in;
    err e = text.n && text.n <= CHAIN_MAX ? OK : E_LIMIT;
    buf_init(&in, PRIV_MESSAGE_MAX);
    for (size_t at = 0, tries = 0; !e && at < text.n;) {
        size_t n = text.n - at < PIECE ? text.n - at : PIECE;
        buf_clear(&in);
        buf_put_u32(&in, (uint32_t)at);
        buf_put_u32(&in, (uint32_t)text.n);
        buf_add(&in, str_sub(text, at, at + n));
        e = in.e ? in.e : priv_call(PRIV_acme_store, buf_str(&in), NULL);
        at += n;
        if (e == E_NOT_FOUND && ++tries < 4) {
            at = 0;
            e = OK;
        }
    }
    return e;
}
