/*
 * A key that is elsewhere, for OpenSSL: a provider whose keys hold the public half only and whose signatures are
 * questions to the keeper (provider-keymgmt(7), provider-signature(7)). It lies in a library context of its own, so
 * that nothing else ever fetches from it. The handshake runs on the fiber's own stack, and the fiber sleeps inside
 * the signature; OpenSSL holds no lock there.
 */
#include "priv/internal.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include <pthread.h>
#include <stdlib.h>

/* ---- keys ------------------------------------------------------------------------------------------------- */

struct far_key {
    EVP_PKEY *public;
    unsigned char id[PRIV_KEY_ID];
    const char *type;
};

static void *key_new(const char *type)
{
    struct far_key *k = calloc(1, sizeof *k);
    if (k)
        k->type = type;
    return k;
}
static void *key_new_rsa(void *ctx) { return (void)ctx, key_new("RSA"); }
static void *key_new_pss(void *ctx) { return (void)ctx, key_new("RSA-PSS"); }
static void *key_new_ec(void *ctx) { return (void)ctx, key_new("EC"); }
static void *key_new_ed25519(void *ctx) { return (void)ctx, key_new("ED25519"); }
static void *key_new_ed448(void *ctx) { return (void)ctx, key_new("ED448"); }

static void key_free(void *key)
{
    struct far_key *k = key;
    if (k)
        EVP_PKEY_free(k->public);
    free(k);
}

static int key_has(const void *key, int selection)
{
    (void)selection; /* the private half as well, as far as anyone can tell */
    return ((const struct far_key *)key)->public != NULL;
}

static int key_match(const void *a, const void *b, int selection)
{
    (void)selection;
    const struct far_key *x = a, *y = b;
    return x->public && y->public && EVP_PKEY_eq(x->public, y->public) == 1;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
    struct far_key *k = key;
    (void)selection;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, k->type, NULL);
    int ok = c && EVP_PKEY_fromdata_init(c) > 0 &&
             EVP_PKEY_fromdata(c, &k->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) > 0 &&
             priv_key_id(k->public, k->id);
    EVP_PKEY_CTX_free(c);
    return ok;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM all[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
                                     OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
                                     OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                     OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END};
    (void)selection;
    return all;
}

/* The public half only: else OpenSSL would sign with a copy in its own provider, which has nothing to sign with. */
static int key_export(void *key, int selection, OSSL_CALLBACK *took, void *arg)
{
    struct far_key *k = key;
    OSSL_PARAM *p = NULL;
    if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || !EVP_PKEY_todata(k->public, EVP_PKEY_PUBLIC_KEY, &p))
        return 0;
    int ok = took(p, arg);
    OSSL_PARAM_free(p);
    return ok;
}

static int key_get_params(void *key, OSSL_PARAM params[])
{
    return EVP_PKEY_get_params(((struct far_key *)key)->public, params);
}

static const OSSL_PARAM *key_gettable(void *ctx)
{
    static const OSSL_PARAM all[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
                                     OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
                                     OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
                                     OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                     OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
                                     OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
                                     OSSL_PARAM_END};
    (void)ctx;
    return all;
}

static const char *operation_rsa(int operation) { return (void)operation, "RSA"; }
static const char *operation_ec(int operation) { return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC"; }

/* ---- signatures --------------------------------------------------------------------------------------------- */

struct signature {
    struct far_key *key;
    EVP_MD_CTX *md_ctx; /* of text that comes in pieces */
    char md[32];        /* "": the text itself is signed */
    int padding;
};

static void *sig_new(void *ctx, const char *properties)
{
    (void)ctx, (void)properties;
    return calloc(1, sizeof(struct signature));
}

static void sig_free(void *sig)
{
    struct signature *s = sig;
    if (s)
        EVP_MD_CTX_free(s->md_ctx);
    free(s);
}

static int sig_set_params(void *sig, const OSSL_PARAM params[])
{
    struct signature *s = sig;
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (p && p->data_type == OSSL_PARAM_UTF8_STRING)
        s->padding = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    else if (p && !OSSL_PARAM_get_int(p, &s->padding))
        return 0;
    return s->padding == RSA_PKCS1_PADDING || s->padding == RSA_PKCS1_PSS_PADDING;
}

static const OSSL_PARAM *sig_settable(void *sig, void *ctx)
{
    static const OSSL_PARAM all[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
                                     OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
                                     OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0), OSSL_PARAM_END};
    (void)sig, (void)ctx;
    return all;
}

static int sig_init(void *sig, const char *md, void *key, const OSSL_PARAM params[])
{
    struct signature *s = sig;
    s->key = key;
    s->padding = strcmp(s->key->type, "RSA-PSS") == 0 ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    return str_to_c(str_c(md), s->md, sizeof s->md) && (!params || sig_set_params(s, params));
}

static int sig_update(void *sig, const unsigned char *p, size_t n)
{
    struct signature *s = sig;
    const EVP_MD *md = EVP_get_digestbyname(s->md);
    if (!s->md_ctx) {
        s->md_ctx = EVP_MD_CTX_new();
        if (!md || !s->md_ctx || !EVP_DigestInit_ex(s->md_ctx, md, NULL))
            return 0;
    }
    return EVP_DigestUpdate(s->md_ctx, p, n);
}

static enum priv_scheme scheme_of(const struct signature *s)
{
    if (strncmp(s->key->type, "ED", 2) == 0)
        return PRIV_EDDSA;
    if (strcmp(s->key->type, "EC") == 0)
        return PRIV_ECDSA;
    return s->padding == RSA_PKCS1_PSS_PADDING ? PRIV_RSA_PSS : PRIV_RSA_PKCS1;
}

/* Other fibers used this thread's error queue meanwhile; ours was empty before the handshake's step. */
static int ask(struct signature *s, str text, unsigned char *ret, size_t *ret_n, size_t size)
{
    struct buf in, out;
    char question[512];
    unsigned char answer[PRIV_SIG_MAX];
    buf_init_fixed(&in, question, sizeof question);
    buf_init_fixed(&out, answer, sizeof answer);
    buf_add(&in, str_mem(s->key->id, PRIV_KEY_ID));
    buf_put_u8(&in, scheme_of(s));
    buf_put_u8(&in, (uint8_t)strlen(s->md));
    buf_add_c(&in, s->md);
    buf_add(&in, text);
    err e = in.e ? in.e : priv_call(PRIV_tls_sign, buf_str(&in), &out);
    ERR_clear_error();
    if (e || out.n > size) {
        ERR_raise_data(ERR_LIB_PROV, ERR_R_INTERNAL_ERROR, "the keeper did not sign: %s", err_text(e));
        return 0;
    }
    memcpy(ret, answer, out.n);
    *ret_n = out.n;
    return 1;
}

static int sig_size(const struct signature *s, size_t *ret_n)
{
    int n = EVP_PKEY_get_size(s->key->public);
    *ret_n = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static int sig_final(void *sig, unsigned char *ret, size_t *ret_n, size_t size)
{
    struct signature *s = sig;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!ret)
        return sig_size(s, ret_n);
    return s->md_ctx && EVP_DigestFinal_ex(s->md_ctx, digest, &n) && ask(s, str_mem(digest, n), ret, ret_n, size);
}

static int sig_whole(void *sig, unsigned char *ret, size_t *ret_n, size_t size, const unsigned char *p, size_t n)
{
    struct signature *s = sig;
    if (!ret)
        return sig_size(s, ret_n);
    if (s->md[0])
        return sig_update(s, p, n) && sig_final(s, ret, ret_n, size);
    return ask(s, str_mem(p, n), ret, ret_n, size);
}

/* ---- the provider --------------------------------------------------------------------------------------------- */

#define FN(id, f)                                                                                                      \
    {                                                                                                                  \
        id, (void (*)(void))(f)                                                                                        \
    }
static const char *operation_ed25519(int operation) { return (void)operation, "ED25519"; }
static const char *operation_ed448(int operation) { return (void)operation, "ED448"; }
#define KEYS(name, make, operation)                                                                                    \
    static const OSSL_DISPATCH name[] = {FN(OSSL_FUNC_KEYMGMT_NEW, make),                                              \
                                         FN(OSSL_FUNC_KEYMGMT_FREE, key_free),                                         \
                                         FN(OSSL_FUNC_KEYMGMT_HAS, key_has),                                           \
                                         FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),                                       \
                                         FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                     \
                                         FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),                         \
                                         FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                     \
                                         FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_import_types),                         \
                                         FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                             \
                                         FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),                          \
                                         FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation),                        \
                                         {0, NULL}}
KEYS(rsa_keys, key_new_rsa, operation_rsa);
KEYS(pss_keys, key_new_pss, operation_rsa);
KEYS(ec_keys, key_new_ec, operation_ec);
KEYS(ed25519_keys, key_new_ed25519, operation_ed25519);
KEYS(ed448_keys, key_new_ed448, operation_ed448);

static const OSSL_DISPATCH signatures[] = {FN(OSSL_FUNC_SIGNATURE_NEWCTX, sig_new),
                                           FN(OSSL_FUNC_SIGNATURE_FREECTX, sig_free),
                                           FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sig_init),
                                           FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, sig_update),
                                           FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, sig_final),
                                           FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sig_whole),
                                           FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sig_set_params),
                                           FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sig_settable),
                                           {0, NULL}};

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keys[] = {{"RSA:rsaEncryption", "provider=keeper", rsa_keys, NULL},
                                          {"RSA-PSS:RSASSA-PSS", "provider=keeper", pss_keys, NULL},
                                          {"EC:id-ecPublicKey", "provider=keeper", ec_keys, NULL},
                                          {"ED25519", "provider=keeper", ed25519_keys, NULL},
                                          {"ED448", "provider=keeper", ed448_keys, NULL},
                                          {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM sigs[] = {{"RSA:rsaEncryption", "provider=keeper", signatures, NULL},
                                          {"ECDSA", "provider=keeper", signatures, NULL},
                                          {"ED25519", "provider=keeper", signatures, NULL},
                                          {"ED448", "provider=keeper", signatures, NULL},
                                          {NULL, NULL, NULL, NULL}};
    (void)ctx;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? sigs : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **ctx)
{
    static const OSSL_DISPATCH functions[] = {FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), {0, NULL}};
    (void)handle, (void)in;
    *out = functions;
    *ctx = (void *)(uintptr_t)functions; /* must not be NULL */
    return 1;
}

static OSSL_LIB_CTX *library;
static void library_make(void)
{
    OSSL_LIB_CTX *l = OSSL_LIB_CTX_new();
    if (l && OSSL_PROVIDER_add_builtin(l, "keeper", provider_init) && OSSL_PROVIDER_load(l, "keeper"))
        library = l;
    else
        OSSL_LIB_CTX_free(l);
}

/* A key of the provider with this public half. */
static EVP_PKEY *far_key_of(EVP_PKEY *public)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, library_make);
    const char *type = EVP_PKEY_get0_type_name(public);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = library && type ? EVP_PKEY_CTX_new_from_name(library, type, NULL) : NULL;
    if (!c || !EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) || EVP_PKEY_fromdata_init(c) <= 0 ||
        EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) <= 0)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(c);
    return key;
}

err priv_tls_key(struct ssl_ctx_st *ctx)
{
    X509 *x = SSL_CTX_get0_certificate(ctx);
    EVP_PKEY *public = x ? X509_get0_pubkey(x) : NULL;
    EVP_PKEY *key = public ? far_key_of(public) : NULL;
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_check_private_key(ctx);
    EVP_PKEY_free(key);
    return ok ? OK : E_TLS;
}
