/*
 * The secrets themselves: one generation of them in an arena that is wiped, the keys of certificates beside it, and
 * the handlers that use them. In the keeper; in process where there is none.
 */
#include "base/arena.h"
#include "base/codec.h"
#include "priv/internal.h"
#include "priv/sign_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdlib.h>

struct key {
    unsigned char id[PRIV_KEY_ID];
    EVP_PKEY *key;
};
struct generation {
    struct arena arena;
    struct priv_secrets s;
    struct key *keys;
    size_t nkeys;
    struct signer {
        str name;
        struct sign_key *key;
    } * signers;
    size_t nsigners;
    struct account_file *files;
    size_t nfiles;
};
static struct lock lock;
static struct generation *now, *before;

static void generation_free(struct generation *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->nkeys; i++)
        EVP_PKEY_free(g->keys[i].key);
    for (size_t i = 0; i < g->nsigners; i++)
        sign_key_free(&g->signers[i].key);
    arena_free(&g->arena);
    free(g);
}

static void replace(struct generation *g)
{
    lock_take(&lock);
    struct generation *old = before;
    before = now;
    now = g;
    lock_drop(&lock);
    generation_free(old);
}

/* ---- a new generation ------------------------------------------------------------------------------------- */

/* Never asks a terminal for a pass phrase. */
static int no_passphrase(char *p, int n, int rw, void *arg)
{
    (void)p, (void)n, (void)rw, (void)arg;
    return -1;
}

static EVP_PKEY *read_key(str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;
    BIO_free(b);
    return key;
}

static bool fits(EVP_PKEY *key, str cert)
{
    if (cert.n == 0)
        return true;
    BIO *b = BIO_new_mem_buf(cert.p, (int)cert.n);
    X509 *x = b ? PEM_read_bio_X509_AUX(b, NULL, no_passphrase, NULL) : NULL;
    bool ok = x && X509_check_private_key(x, key);
    X509_free(x);
    BIO_free(b);
    return ok;
}

static err refuse(struct buf *why, str name, const char *what)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    if (why)
        buf_printf(why, "%s" STR_FMT ": %s%s%s", why->n ? "; " : "", STR_ARG(name), what, text ? ": " : "",
                   text ? text : "");
    ERR_clear_error();
    return E_TLS;
}

bool priv_key_id(const EVP_PKEY *key, unsigned char ret[PRIV_KEY_ID])
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    bool ok = n > 0 && EVP_Digest(der, (size_t)n, ret, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    return ok;
}

static err add_pair(struct generation *g, const struct priv_pair *p, struct buf *why)
{
    ERR_clear_error();
    if (p->key.n > INT32_MAX || p->cert.n > INT32_MAX)
        return E_LIMIT;
    EVP_PKEY *key = read_key(p->key);
    struct key *k = &g->keys[g->nkeys];
    err e = OK;
    if (!key)
        e = refuse(why, p->name, "not a private key in PEM without a pass phrase");
    else if (!fits(key, p->cert))
        e = refuse(why, p->name, "not the key of the certificate");
    else if (!priv_key_id(key, k->id))
        e = E_NOMEM;
    if (e) {
        EVP_PKEY_free(key);
        return e;
    }
    k->key = key;
    g->nkeys++;
    return OK;
}

static err add_signer(struct generation *g, const struct priv_signer *p, struct buf *why)
{
    struct signer *k = &g->signers[g->nsigners];
    ERR_clear_error();
    k->name = arena_str(&g->arena, p->name);
    err e = k->name.p ? sign_key_read(p->key, &k->key) : E_NOMEM;
    if (e == E_NOMEM)
        return e;
    if (e || sign_key_is_rsa(k->key) != p->rsa) {
        sign_key_free(&k->key);
        return refuse(why, p->name, p->rsa ? "not an RSA key of 1024 to 4096 bits" : "not an Ed25519 key");
    }
    g->nsigners++;
    return OK;
}

static bool read_eab(struct generation *g, str text)
{
    char *mem = arena_alloc(&g->arena, PRIV_SECRET_MAX);
    struct buf b;
    while (text.n && text.p[text.n - 1] == '=') /* some authorities show the padding */
        text.n--;
    if (!mem)
        return false;
    buf_init_fixed(&b, mem, PRIV_SECRET_MAX);
    if (base64url_decode(&b, text) || b.n < 16)
        return false;
    g->s.eab = buf_str(&b);
    return true;
}

static err fill(struct generation *g, const struct priv_secrets *s)
{
    arena_init(&g->arena, 4096, (size_t)64 << 20);
    g->arena.secret = true;
    struct priv_login *v = arena_array(&g->arena, s->nlogins, sizeof *v);
    bool fit = true;
    for (size_t i = 0; v && i < s->nlogins; i++) {
        v[i].route = arena_str(&g->arena, s->logins[i].route);
        v[i].password = arena_str(&g->arena, s->logins[i].password);
        fit = fit && v[i].password.n <= PRIV_SECRET_MAX;
    }
    g->s = (struct priv_secrets){.srs = arena_str(&g->arena, s->srs), .logins = v, .nlogins = s->nlogins};
    if (s->eab.n && !read_eab(g, s->eab))
        return refuse(s->why, S("acme.eab-key-file"), "not a key in base64url");
    g->keys = arena_array(&g->arena, s->npairs, sizeof *g->keys);
    err e = g->arena.e ? g->arena.e : fit ? OK : E_LIMIT;
    for (size_t i = 0; i < s->npairs && !e; i++) {
        e = add_pair(g, &s->pairs[i], s->why);
        if (e == E_TLS && s->lenient)
            e = OK;
    }
    g->signers = arena_array(&g->arena, s->nsigners, sizeof *g->signers);
    e = e ? e : g->arena.e;
    for (size_t i = 0; i < s->nsigners && !e; i++) {
        e = add_signer(g, &s->signers[i], s->why);
        if (e == E_TLS && s->lenient)
            e = OK;
    }
    g->files = arena_array(&g->arena, s->nfiles, sizeof *g->files);
    e = e ? e : g->arena.e;
    for (; g->nfiles < s->nfiles && !e; g->nfiles++)
        e = account_file_read(&g->files[g->nfiles], &g->arena, &s->files[g->nfiles]);
    return e;
}

err priv_setup(const struct priv_secrets *s)
{
    if (s->srs.n > PRIV_SECRET_MAX || s->nlogins > PRIV_LOGINS_MAX || s->npairs > PRIV_KEYS_MAX ||
        s->nsigners > PRIV_KEYS_MAX || s->nfiles > PRIV_FILES_MAX)
        return E_LIMIT;
    struct generation *g = calloc(1, sizeof *g);
    if (!g)
        return E_NOMEM;
    err e = fill(g, s);
    if (e)
        generation_free(g);
    else
        replace(g);
    return e;
}

void priv_end(void)
{
    replace(NULL);
    replace(NULL);
}

/* ---- handlers --------------------------------------------------------------------------------------------- */

/* Under one of the two keys, copied so that nothing is held meanwhile. */
static err mac(size_t field, str text, struct buf *out)
{
    unsigned char key[PRIV_SECRET_MAX], sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    lock_take(&lock);
    const str *secret = now ? (const str *)((const char *)&now->s + field) : NULL;
    size_t key_n = secret ? secret->n : 0;
    if (key_n)
        memcpy(key, secret->p, key_n);
    lock_drop(&lock);
    if (!key_n)
        return E_NOT_FOUND;
    bool ok = HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, sum, &n) && n == PRIV_MAC_SIZE;
    OPENSSL_cleanse(key, sizeof key);
    if (!ok) {
        ERR_clear_error();
        return E_NOMEM;
    }
    buf_add(out, str_mem(sum, PRIV_MAC_SIZE));
    return OK;
}

err priv_do_srs_mac(str text, struct buf *out) { return mac(offsetof(struct priv_secrets, srs), text, out); }
err priv_do_acme_mac(str text, struct buf *out) { return mac(offsetof(struct priv_secrets, eab), text, out); }

err priv_do_password(str route, struct buf *out)
{
    err e = E_NOT_FOUND;
    lock_take(&lock);
    for (size_t i = 0; now && e && i < now->s.nlogins; i++)
        if (str_eq(now->s.logins[i].route, route) && now->s.logins[i].password.n) {
            buf_add(out, now->s.logins[i].password);
            e = out->e;
        }
    lock_drop(&lock);
    return e;
}

err store_file_hash(str title, str address, str bare, char hash[PRIV_HASH_MAX])
{
    const struct account_file *f = NULL;
    err e = E_UNSUPPORTED;
    lock_take(&lock);
    for (size_t i = 0; now && !f && i < now->nfiles; i++)
        if (str_eq(now->files[i].title, title) && !now->files[i].unread)
            f = &now->files[i];
    const struct account_line *x = f ? account_file_find(f, address) : NULL;
    if (f && !x && bare.n)
        x = account_file_find(f, bare);
    if (f)
        e = !x ? E_NOT_FOUND : str_to_c(x->hash, hash, PRIV_HASH_MAX) ? OK : E_BUG;
    lock_drop(&lock);
    return e;
}

static struct sign_key *find_signer(str name)
{
    struct sign_key *k = NULL;
    lock_take(&lock);
    for (size_t i = 0; now && !k && i < now->nsigners; i++)
        if (str_eq(now->signers[i].name, name))
            k = sign_key_ref(now->signers[i].key);
    lock_drop(&lock);
    return k;
}

err priv_do_mail_sign(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    str hash = cur_bytes(&c, SIGN_HASH_SIZE);
    if (c.bad)
        return E_SYNTAX;
    struct sign_key *k = find_signer(str_mem(c.p, c.n));
    err e = k ? OK : mail_key_find(str_mem(c.p, c.n), &k);
    e = e ? e : sign_key_sign(k, (const unsigned char *)hash.p, out);
    sign_key_free(&k);
    return e;
}

static EVP_PKEY *find_in(const struct generation *g, str id)
{
    for (size_t i = 0; g && i < g->nkeys; i++)
        if (memcmp(g->keys[i].id, id.p, PRIV_KEY_ID) == 0 && EVP_PKEY_up_ref(g->keys[i].key))
            return g->keys[i].key;
    return NULL;
}

static EVP_PKEY *find_key(str id)
{
    lock_take(&lock);
    EVP_PKEY *k = find_in(now, id);
    k = k ? k : find_in(before, id);
    lock_drop(&lock);
    return k;
}

/* The digest must have its own length, so that nothing but a digest is ever signed. */
static bool sign_digest(EVP_PKEY *key, enum priv_scheme scheme, const EVP_MD *md, str digest, unsigned char *sig,
                        size_t *n)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool ok = c && digest.n == (size_t)EVP_MD_get_size(md) && EVP_PKEY_sign_init(c) > 0 &&
              EVP_PKEY_CTX_set_signature_md(c, md) > 0;
    if (ok && scheme == PRIV_RSA_PKCS1)
        ok = EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0;
    if (ok && scheme == PRIV_RSA_PSS)
        ok = EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
    ok = ok && EVP_PKEY_sign(c, sig, n, (const unsigned char *)digest.p, digest.n) > 0;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static bool sign_text(EVP_PKEY *key, str text, unsigned char *sig, size_t *n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, key) > 0 &&
              EVP_DigestSign(c, sig, n, (const unsigned char *)text.p, text.n) > 0;
    EVP_MD_CTX_free(c);
    return ok;
}

static bool scheme_suits(const EVP_PKEY *key, enum priv_scheme scheme)
{
    switch (scheme) {
    case PRIV_RSA_PKCS1:
        return EVP_PKEY_is_a(key, "RSA");
    case PRIV_RSA_PSS:
        return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
    case PRIV_ECDSA:
        return EVP_PKEY_is_a(key, "EC");
    case PRIV_EDDSA:
        return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
    }
    return false;
}

err priv_do_tls_sign(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    str id = cur_bytes(&c, PRIV_KEY_ID);
    enum priv_scheme scheme = cur_u8(&c);
    str md_name = cur_bytes(&c, cur_u8(&c)), text = cur_bytes(&c, c.n);
    char name[32];
    if (c.bad || !str_to_c(md_name, name, sizeof name))
        return E_SYNTAX;
    const EVP_MD *md = md_name.n ? EVP_get_digestbyname(name) : NULL;
    EVP_PKEY *key = find_key(id);
    if (!key)
        return E_NOT_FOUND;
    unsigned char sig[PRIV_SIG_MAX];
    size_t n = sizeof sig;
    bool ok = scheme_suits(key, scheme);
    if (ok)
        ok = scheme == PRIV_EDDSA ? sign_text(key, text, sig, &n) : md && sign_digest(key, scheme, md, text, sig, &n);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!ok)
        return E_TLS;
    buf_add(out, str_mem(sig, n));
    return OK;
}
