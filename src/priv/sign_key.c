/* Private keys of DKIM and ARC by OpenSSL. */
#include "priv/sign_key.h"
#include "base/cleanup.h"
#include "base/codec.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdatomic.h>
#include <stdlib.h>

enum { TEXT_MAX = 16384, ED25519_SIZE = 32, SPARE = 4 };

struct sign_key {
    atomic_int refs;
    EVP_PKEY *pkey;
    bool rsa;
    /* Contexts that are ready to sign with it, each used by one thread at a time: making one costs some 3 us. */
    EVP_PKEY_CTX *_Atomic spare[SPARE];
};

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

/* Never asks a terminal for a pass phrase. */
static int no_passphrase(char *p, int n, int rw, void *arg)
{
    (void)p, (void)n, (void)rw, (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(str text)
{
    BIO *b = BIO_new_mem_buf(text.p, (int)text.n);
    EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;
    BIO_free(b);
    return k;
}

static EVP_PKEY *read_octets(str der)
{
    if (der.n == ED25519_SIZE)
        return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)der.p, der.n);
    const unsigned char *at = (const unsigned char *)der.p;
    return d2i_AutoPrivateKey(NULL, &at, (long)der.n);
}

static EVP_PKEY *read_base64(str text)
{
    struct buf in, out;
    buf_init(&in, TEXT_MAX);
    buf_init(&out, TEXT_MAX);
    char *room = buf_room(&in, text.n), *octets = buf_room(&out, text.n); /* in one piece: nothing is left behind */
    for (size_t i = 0; room && octets && i < text.n; i++)
        if (!memchr(" \t\r\n", text.p[i], 4))
            in.p[in.n++] = text.p[i];
    EVP_PKEY *k = in.e || out.e || base64_decode(&out, buf_str(&in)) ? NULL : read_octets(buf_str(&out));
    OPENSSL_cleanse(in.p, in.n);
    OPENSSL_cleanse(out.p, out.n);
    buf_free(&in);
    buf_free(&out);
    return k;
}

err sign_key_read(str text, struct sign_key **ret)
{
    if (text.n > TEXT_MAX)
        return E_LIMIT;
    EVP_PKEY *p = str_search(text, S("-----BEGIN")) != STR_NONE ? read_pem(text) : read_base64(text);
    ERR_clear_error();
    if (!p)
        return E_SYNTAX;
    int kind = EVP_PKEY_get_base_id(p), bits = EVP_PKEY_get_bits(p);
    bool fits = kind != EVP_PKEY_RSA || (bits >= SIGN_BITS_MIN && bits <= SIGN_BITS_MAX);
    struct sign_key *k = fits && (kind == EVP_PKEY_RSA || kind == EVP_PKEY_ED25519) ? malloc(sizeof *k) : NULL;
    if (!k) {
        EVP_PKEY_free(p);
        return !fits ? E_LIMIT : kind == EVP_PKEY_RSA || kind == EVP_PKEY_ED25519 ? E_NOMEM : E_UNSUPPORTED;
    }
    *k = (struct sign_key){.refs = 1, .pkey = p, .rsa = kind == EVP_PKEY_RSA};
    *ret = k;
    return OK;
}

struct sign_key *sign_key_ref(struct sign_key *k)
{
    atomic_fetch_add(&k->refs, 1);
    return k;
}

void sign_key_free(struct sign_key **k)
{
    if (*k && atomic_fetch_sub(&(*k)->refs, 1) == 1) {
        for (size_t i = 0; i < SPARE; i++)
            EVP_PKEY_CTX_free((*k)->spare[i]);
        EVP_PKEY_free((*k)->pkey);
        free(*k);
    }
    *k = NULL;
}

bool sign_key_is_rsa(const struct sign_key *k) { return k->rsa; }

/* ---- signing --------------------------------------------------------------------------------------------------------
 */

static EVP_PKEY_CTX *context_new(EVP_PKEY *key)
{
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(key, NULL);
    if (x && EVP_PKEY_sign_init(x) == 1 && EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(x, EVP_sha256()) == 1)
        return x;
    EVP_PKEY_CTX_free(x);
    return NULL;
}

static EVP_PKEY_CTX *context_take(struct sign_key *k)
{
    for (size_t i = 0; i < SPARE; i++) {
        EVP_PKEY_CTX *x = atomic_exchange(&k->spare[i], NULL);
        if (x)
            return x;
    }
    return context_new(k->pkey);
}

static void context_give(struct sign_key *k, EVP_PKEY_CTX *x)
{
    for (size_t i = 0; i < SPARE; i++) {
        EVP_PKEY_CTX *none = NULL;
        if (atomic_compare_exchange_strong(&k->spare[i], &none, x))
            return;
    }
    EVP_PKEY_CTX_free(x);
}

static bool sign_rsa(struct sign_key *k, const unsigned char *hash, unsigned char *to, size_t *n)
{
    EVP_PKEY_CTX *x = context_take(k);
    bool ok = x && EVP_PKEY_sign(x, to, n, hash, SIGN_HASH_SIZE) == 1;
    if (ok)
        context_give(k, x);
    else
        EVP_PKEY_CTX_free(x);
    return ok;
}

static bool sign_ed25519(EVP_PKEY *key, const unsigned char *hash, unsigned char *to, size_t *n)
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok =
        x && EVP_DigestSignInit(x, NULL, NULL, NULL, key) == 1 && EVP_DigestSign(x, to, n, hash, SIGN_HASH_SIZE) == 1;
    EVP_MD_CTX_free(x);
    return ok;
}

err sign_key_sign(struct sign_key *k, const unsigned char hash[SIGN_HASH_SIZE], struct buf *out)
{
    unsigned char sig[SIGN_SIZE_MAX];
    size_t n = sizeof sig;
    bool ok = k->rsa ? sign_rsa(k, hash, sig, &n) : sign_ed25519(k->pkey, hash, sig, &n);
    ERR_clear_error();
    if (!ok)
        return E_NOMEM;
    buf_add(out, str_mem(sig, n));
    return out->e;
}

/* ---- the record, new keys
 * --------------------------------------------------------------------------------------------- */

err sign_key_record(const struct sign_key *k, struct buf *out)
{
    unsigned char raw[ED25519_SIZE], *der = NULL;
    size_t n = sizeof raw;
    if (!k->rsa) {
        if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &n) != 1)
            return E_NOMEM;
        buf_add(out, S("v=DKIM1; k=ed25519; p="));
        base64_encode(out, str_mem(raw, n));
        return out->e;
    }
    int len = i2d_PUBKEY(k->pkey, &der);
    if (len <= 0)
        return E_NOMEM;
    buf_add(out, S("v=DKIM1; k=rsa; p="));
    base64_encode(out, str_mem(der, (size_t)len));
    OPENSSL_free(der);
    return out->e;
}

err sign_key_make(unsigned bits, struct buf *pem)
{
    if (bits && (bits < SIGN_BITS_MIN || bits > SIGN_BITS_MAX))
        return E_LIMIT;
    EVP_PKEY *k = bits ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *b = BIO_new(BIO_s_secmem());
    char *p = NULL;
    long n = 0;
    if (k && b && PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) == 1 &&
        (n = BIO_get_mem_data(b, &p)) > 0)
        buf_add(pem, str_mem(p, (size_t)n));
    EVP_PKEY_free(k);
    BIO_free(b);
    ERR_clear_error();
    return n > 0 ? pem->e : E_NOMEM;
}
