/*
 * Public keys of signatures (RFC 6376 3.6.1, RFC 8301 3.2, RFC 8463). Making a key of its octets costs more than using
 * it, so the last ones are kept, for all loops, by their octets.
 */
#include "check/signed.h"
#include "rt/rt.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdlib.h>

enum { KEPT = 256, EXPONENT_BITS_MAX = 64, P_MAX = 1024 };

static struct kept {
    EVP_PKEY *key;
    size_t n;
    unsigned char p[P_MAX];
} * kept[KEPT];
static struct lock lock;

static struct kept **place(str p) { return &kept[str_hash(p) % KEPT]; }

static EVP_PKEY *kept_get(str p)
{
    EVP_PKEY *key = NULL;
    lock_take(&lock);
    const struct kept *k = *place(p);
    if (k && str_eq(str_mem(k->p, k->n), p) && EVP_PKEY_up_ref(k->key) == 1)
        key = k->key;
    lock_drop(&lock);
    return key;
}

static void kept_put(str p, EVP_PKEY *key)
{
    struct kept *k = p.n <= P_MAX ? malloc(sizeof *k) : NULL;
    if (!k || EVP_PKEY_up_ref(key) != 1) {
        free(k);
        return;
    }
    k->key = key;
    k->n = p.n;
    memcpy(k->p, p.p, p.n);
    lock_take(&lock);
    struct kept **at = place(p), *old = *at;
    *at = k;
    lock_drop(&lock);
    if (old)
        EVP_PKEY_free(old->key);
    free(old);
}

static bool exponent_ok(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_num_bits(e) <= EXPONENT_BITS_MAX;
    BN_free(e);
    return ok;
}

/* SubjectPublicKeyInfo, as everybody publishes it, or RSAPublicKey, as RFC 6376 3.6.1 says. */
static err make_rsa(str p, EVP_PKEY **ret)
{
    const unsigned char *at = (const unsigned char *)p.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)p.n);
    if (!key) {
        at = (const unsigned char *)p.p;
        key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)p.n);
    }
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || at != (const unsigned char *)p.p + p.n) {
        EVP_PKEY_free(key);
        return E_SYNTAX;
    }
    *ret = key;
    return OK;
}

static err make_key(enum dkim_alg alg, str p, EVP_PKEY **ret, unsigned *ret_bits)
{
    if (alg == DKIM_ED25519_SHA256) {
        *ret_bits = 256;
        *ret = p.n == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)p.p, p.n) : NULL;
        return *ret ? OK : E_SYNTAX;
    }
    if (p.n > P_MAX)
        return E_LIMIT;
    err e = make_rsa(p, ret);
    if (e)
        return e;
    *ret_bits = (unsigned)EVP_PKEY_get_bits(*ret);
    if (*ret_bits >= CHECK_RSA_BITS_MIN && *ret_bits <= CHECK_RSA_BITS_MAX && exponent_ok(*ret))
        return OK;
    EVP_PKEY_free(*ret);
    *ret = NULL;
    return E_LIMIT;
}

static bool verify_rsa(EVP_PKEY *key, const unsigned char *hash, str sig)
{
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(key, NULL);
    bool ok = x && EVP_PKEY_verify_init(x) == 1 && EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(x, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(x, (const unsigned char *)sig.p, sig.n, hash, DKIM_HASH_SIZE) == 1;
    EVP_PKEY_CTX_free(x);
    return ok;
}

/* PureEdDSA of the hash (RFC 8463 3). */
static bool verify_ed25519(EVP_PKEY *key, const unsigned char *hash, str sig)
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x && EVP_DigestVerifyInit(x, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(x, (const unsigned char *)sig.p, sig.n, hash, DKIM_HASH_SIZE) == 1;
    EVP_MD_CTX_free(x);
    return ok;
}

err key_verify(enum dkim_alg alg, str p, const unsigned char hash[DKIM_HASH_SIZE], str signature, unsigned *ret_bits)
{
    EVP_PKEY *key = alg == DKIM_RSA_SHA256 ? kept_get(p) : NULL;
    err e = OK;
    if (key) {
        *ret_bits = (unsigned)EVP_PKEY_get_bits(key);
    } else {
        e = make_key(alg, p, &key, ret_bits);
        if (!e && alg == DKIM_RSA_SHA256)
            kept_put(p, key);
    }
    if (!e) {
        bool ok = alg == DKIM_RSA_SHA256 ? verify_rsa(key, hash, signature) : verify_ed25519(key, hash, signature);
        e = ok ? OK : E_DENIED;
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
    return e;
}
