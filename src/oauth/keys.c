/* Public keys of an authority (RFC 7517, RFC 7518 6, RFC 8037) and signatures by them (RFC 7518 3). A key serves the
 * methods of its own kind and no other, so that nobody passes one kind off as another (RFC 8725 2.1). */
#include "base/cleanup.h"
#include "base/codec.h"
#include "oauth/internal.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { NUMBER_MAX = RSA_MOST / 8 + 1 };

/* ---- reading ---- */

static bool octets(struct json_object *o, const char *name, struct buf *b, unsigned char *mem, size_t size)
{
    str text = json_text(json_get(o, name));
    buf_init_fixed(b, mem, size);
    return text.n && text.n <= 2 * size && base64url_decode(b, text) == OK && b->n > 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *p = bld ? OSSL_PARAM_BLD_to_param(bld) : NULL;
    EVP_PKEY_CTX *ctx = p ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, p) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(p);
    return key;
}

static EVP_PKEY *read_rsa(struct json_object *o)
{
    unsigned char nmem[NUMBER_MAX], emem[8];
    struct buf n, e;
    EVP_PKEY *key = NULL;
    if (!octets(o, "n", &n, nmem, sizeof nmem) || !octets(o, "e", &e, emem, sizeof emem))
        return NULL;
    BIGNUM *bn = BN_bin2bn(nmem, (int)n.n, NULL), *be = BN_bin2bn(emem, (int)e.n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    bool fits = bn && be && BN_num_bits(bn) >= RSA_LEAST && BN_num_bits(bn) <= RSA_MOST && BN_is_odd(bn) &&
                BN_is_odd(be) && !BN_is_one(be);
    if (fits && bld && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
        key = from_params("RSA", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn);
    BN_free(be);
    return key;
}

static EVP_PKEY *read_p256(struct json_object *o)
{
    unsigned char point[65] = {4}, mem[64];
    struct buf x, y;
    EVP_PKEY *key = NULL;
    if (!str_eq(json_text(json_get(o, "crv")), S("P-256")) || !octets(o, "x", &x, mem, 32) ||
        !octets(o, "y", &y, mem + 32, 32) || x.n != 32 || y.n != 32)
        return NULL;
    memcpy(point + 1, mem, 64);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
        key = from_params("EC", bld); /* a point that is not on the curve is refused */
    OSSL_PARAM_BLD_free(bld);
    return key;
}

static EVP_PKEY *read_ed25519(struct json_object *o)
{
    unsigned char mem[32];
    struct buf x;
    if (!str_eq(json_text(json_get(o, "crv")), S("Ed25519")) || !octets(o, "x", &x, mem, sizeof mem) || x.n != 32)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, mem, 32);
}

/* RFC 7517 4.2, 4.3: what it is for, if that is said. */
static bool for_signatures(struct json_object *o)
{
    struct json_object *use = json_get(o, "use"), *ops = json_get(o, "key_ops");
    bool ok = !ops;
    for (size_t i = 0; i < json_length(ops); i++)
        ok |= str_eq(json_text(json_object_array_get_idx(ops, i)), S("verify"));
    return ok && (!use || str_eq(json_text(use), S("sig")));
}

static void read_one(struct json_object *o, struct keyset *k)
{
    struct jwk *w = &k->v[k->n];
    str kty = json_text(json_get(o, "kty"));
    struct json_object *kid = json_get(o, "kid"), *alg = json_get(o, "alg");
    *w = (struct jwk){.only = JWT_NONE};
    if (!for_signatures(o) || (kid && (!json_text(kid).p || !str_to_c(json_text(kid), w->kid, sizeof w->kid))) ||
        (alg && !jwt_alg_find(json_text(alg), &w->only)))
        return;
    w->kind = str_eq(kty, S("RSA")) ? JWT_RS256 : str_eq(kty, S("EC")) ? JWT_ES256 : JWT_EDDSA;
    if (w->kind == JWT_RS256)
        w->key = read_rsa(o);
    else if (w->kind == JWT_ES256)
        w->key = read_p256(o);
    else if (str_eq(kty, S("OKP")))
        w->key = read_ed25519(o);
    k->n += w->key != NULL;
}

struct keyset *keyset_read(str json)
{
    AUTO_JSON *o = json_parse(json, JSON_DEPTH);
    struct json_object *v = json_get(o, "keys");
    if (!v || !json_object_is_type(v, json_type_array))
        return NULL;
    struct keyset *k = calloc(1, sizeof *k);
    for (size_t i = 0; k && i < json_length(v) && k->n < KEYS_MAX; i++)
        read_one(json_object_array_get_idx(v, i), k);
    if (k)
        k->refs = 1;
    ERR_clear_error();
    return k;
}

void keyset_drop(struct keyset **k)
{
    struct keyset *x = *k;
    *k = NULL;
    if (!x || __atomic_sub_fetch(&x->refs, 1, __ATOMIC_ACQ_REL))
        return;
    for (size_t i = 0; i < x->n; i++)
        EVP_PKEY_free(x->v[i].key);
    free(x);
}

/* ---- verifying ---- */

/* r and s of 32 octets each (RFC 7518 3.4) as OpenSSL wants them. */
static int ecdsa_der(str sig, unsigned char *der, size_t size)
{
    ECDSA_SIG *s = sig.n == 64 ? ECDSA_SIG_new() : NULL;
    unsigned char *p = der;
    BIGNUM *r = s ? BN_bin2bn((const unsigned char *)sig.p, 32, NULL) : NULL;
    BIGNUM *t = s ? BN_bin2bn((const unsigned char *)sig.p + 32, 32, NULL) : NULL;
    int n = 0;
    if (r && t && ECDSA_SIG_set0(s, r, t) == 1)
        n = i2d_ECDSA_SIG(s, NULL) <= (int)size ? i2d_ECDSA_SIG(s, &p) : 0;
    else
        BN_free(r), BN_free(t);
    ECDSA_SIG_free(s);
    return n;
}

static bool begin(EVP_MD_CTX *ctx, EVP_PKEY *key, enum jwt_alg alg)
{
    EVP_PKEY_CTX *p = NULL;
    if (EVP_DigestVerifyInit(ctx, &p, alg == JWT_EDDSA ? NULL : EVP_sha256(), NULL, key) != 1)
        return false;
    return alg != JWT_PS256 || (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
                                EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool fits(EVP_PKEY *key, const struct jwt *j)
{
    unsigned char der[80];
    str sig = j->signature;
    if (j->alg == JWT_ES256)
        sig = str_mem(der, (size_t)ecdsa_der(sig, der, sizeof der));
    EVP_MD_CTX *ctx = sig.n ? EVP_MD_CTX_new() : NULL;
    bool ok =
        ctx && begin(ctx, key, j->alg) &&
        EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n, (const unsigned char *)j->input.p, j->input.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

enum key_verdict keyset_verify(const struct keyset *k, const struct jwt *j)
{
    enum jwt_alg kind = j->alg == JWT_PS256 ? JWT_RS256 : j->alg;
    int tried = 0;
    for (size_t i = 0; i < k->n && tried < TRIES_MAX; i++) {
        const struct jwk *w = &k->v[i];
        if (w->kind != kind || (w->only != JWT_NONE && w->only != j->alg) || (j->kid[0] && strcmp(w->kid, j->kid) != 0))
            continue;
        tried++;
        if (fits(w->key, j))
            return KEY_GOOD;
    }
    return tried ? KEY_BAD : KEY_UNKNOWN;
}
