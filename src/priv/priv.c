/* The calls of priv.h, answered in process: one generation of secrets in an arena that is wiped. */
#include "priv/priv.h"
#include "base/arena.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <stdlib.h>

struct generation {
    struct arena arena;
    struct priv_secrets s;
};
static struct lock lock;
static struct generation *now;

static void generation_free(struct generation *g)
{
    if (!g)
        return;
    arena_free(&g->arena);
    free(g);
}

static void replace(struct generation *g)
{
    lock_take(&lock);
    struct generation *old = now;
    now = g;
    lock_drop(&lock);
    generation_free(old);
}

err priv_setup(const struct priv_secrets *s)
{
    if (s->srs.n > PRIV_SECRET_MAX || s->nlogins > PRIV_LOGINS_MAX)
        return E_LIMIT;
    struct generation *g = calloc(1, sizeof *g);
    if (!g)
        return E_NOMEM;
    arena_init(&g->arena, 4096, (size_t)64 << 20);
    g->arena.secret = true;
    struct priv_login *v = arena_array(&g->arena, s->nlogins, sizeof *v);
    bool fits = true;
    for (size_t i = 0; v && i < s->nlogins; i++) {
        v[i].route = arena_str(&g->arena, s->logins[i].route);
        v[i].password = arena_str(&g->arena, s->logins[i].password);
        fits = fits && v[i].password.n <= PRIV_SECRET_MAX;
    }
    g->s = (struct priv_secrets){arena_str(&g->arena, s->srs), v, s->nlogins};
    err e = g->arena.e ? g->arena.e : fits ? OK : E_LIMIT;
    if (e)
        generation_free(g);
    else
        replace(g);
    return e;
}

void priv_end(void) { replace(NULL); }

/* Never asks a terminal for a pass phrase. */
static int no_passphrase(char *p, int n, int rw, void *arg)
{
    (void)p, (void)n, (void)rw, (void)arg;
    return -1;
}

err priv_tls_key(struct ssl_ctx_st *ctx, const char *key_pem)
{
    BIO *b = BIO_new_mem_buf(key_pem, -1);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_check_private_key(ctx);
    EVP_PKEY_free(key);
    BIO_free(b);
    return ok ? OK : E_TLS;
}

err priv_srs_mac(str text, unsigned char ret[PRIV_MAC_SIZE])
{
    unsigned char key[PRIV_SECRET_MAX], mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (text.n > PRIV_TEXT_MAX)
        return E_LIMIT;
    lock_take(&lock);
    size_t key_n = now ? now->s.srs.n : 0;
    if (key_n)
        memcpy(key, now->s.srs.p, key_n);
    lock_drop(&lock);
    if (!key_n)
        return E_NOT_FOUND;
    bool ok = HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, mac, &n) && n == PRIV_MAC_SIZE;
    OPENSSL_cleanse(key, sizeof key);
    if (!ok) {
        ERR_clear_error();
        return E_NOMEM;
    }
    memcpy(ret, mac, PRIV_MAC_SIZE);
    return OK;
}

bool priv_srs_verify(str text, str tag)
{
    unsigned char mac[PRIV_MAC_SIZE];
    return tag.n >= 4 && tag.n <= sizeof mac && priv_srs_mac(text, mac) == OK &&
           str_eq_secret(tag, str_mem(mac, tag.n));
}

err priv_password(str route, struct buf *out)
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
