/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677, 9266) by GNU SASL, in the keeper: the verifiers are secrets.
 * Exchanges are kept between their steps in a bounded table; a name that does not exist gets what looks as if it did.
 */
#include "base/codec.h"
#include "priv/internal.h"

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>

enum { EXCHANGES = 4096 };
#define EXCHANGE_TIME (300 * RT_S)

struct exchange {
    uint64_t id;
    rt_time since;
    Gsasl_session *session;
    struct scram verifier;
    bool asked, known, down, bound;
    unsigned char binding[32];
    char domain[256];
    char account[PRIV_ACCOUNT_MAX + 1], title[PRIV_TITLE_MAX + 1];
};

static struct {
    struct lock lock;
    struct exchange **v; /* EXCHANGES, made with the library: between two steps; by id modulo the size */
    Gsasl *library;
    unsigned char decoy[32]; /* makes the salts of names that do not exist */
} world;

static void end(struct exchange *x)
{
    if (!x)
        return;
    if (x->session)
        gsasl_finish(x->session);
    OPENSSL_cleanse(x, sizeof *x);
    free(x);
}

/* ---- what the library asks ---- */

static void make_decoy(struct exchange *x)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    x->verifier = (struct scram){.rounds = SCRAM_ROUNDS, .nsalt = SCRAM_SALT};
    (void)RAND_bytes(x->verifier.stored, SCRAM_KEY);
    (void)RAND_bytes(x->verifier.server, SCRAM_KEY);
    if (HMAC(EVP_sha256(), world.decoy, sizeof world.decoy, (const unsigned char *)x->account, strlen(x->account), mac,
             &n))
        memcpy(x->verifier.salt, mac, SCRAM_SALT);
}

/* Who it is, and what its proof is checked against. */
static void find_verifier(struct exchange *x, const char *name)
{
    AUTO_ARENA mem = {0};
    struct secret_list all = {0};
    arena_init(&mem, 4096, 65536);
    mem.secret = true;
    x->asked = true;
    bool good = name && name_take(str_c(name), str_c(x->domain), x->account, x->title);
    err e = good ? secrets_find(&mem, x->account, &all) : E_NOT_FOUND;
    x->down = e && e != E_NOT_FOUND;
    for (size_t i = 0; i < all.n && !x->known; i++) {
        if (x->title[0] && !str_eq(all.v[i].title, str_c(x->title)))
            continue;
        x->known = scram_parse(all.v[i].scram, &x->verifier);
        if (x->known)
            str_to_c(all.v[i].title, x->title, sizeof x->title);
    }
    if (!x->known)
        make_decoy(x);
}

static int set_b64(Gsasl_session *g, Gsasl_property prop, const void *p, size_t n)
{
    char mem[128];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem - 1);
    base64_encode(&b, str_mem(p, n));
    mem[b.e ? 0 : b.n] = 0;
    int rc = gsasl_property_set(g, prop, mem);
    OPENSSL_cleanse(mem, sizeof mem);
    return rc;
}

static int ask(Gsasl *ctx, Gsasl_session *g, Gsasl_property prop)
{
    struct exchange *x = gsasl_session_hook_get(g);
    char rounds[16];
    (void)ctx;
    if (prop == GSASL_CB_TLS_EXPORTER)
        return x->bound ? set_b64(g, prop, x->binding, sizeof x->binding) : GSASL_NO_CALLBACK;
    if (prop != GSASL_SCRAM_ITER && prop != GSASL_SCRAM_SALT && prop != GSASL_SCRAM_STOREDKEY &&
        prop != GSASL_SCRAM_SERVERKEY)
        return GSASL_NO_CALLBACK;
    if (!x->asked)
        find_verifier(x, gsasl_property_fast(g, GSASL_AUTHID));
    if (x->down)
        return GSASL_AUTHENTICATION_ERROR;
    snprintf(rounds, sizeof rounds, "%u", (unsigned)x->verifier.rounds);
    if (prop == GSASL_SCRAM_ITER)
        return gsasl_property_set(g, prop, rounds);
    if (prop == GSASL_SCRAM_SALT)
        return set_b64(g, prop, x->verifier.salt, x->verifier.nsalt);
    return set_b64(g, prop, prop == GSASL_SCRAM_STOREDKEY ? x->verifier.stored : x->verifier.server, SCRAM_KEY);
}

/* The library's state without a session: made once, read by every thread. */
static Gsasl *library(void)
{
    lock_take(&world.lock);
    if (!world.v)
        world.v = calloc(EXCHANGES, sizeof *world.v);
    if (world.v && !world.library && RAND_bytes(world.decoy, sizeof world.decoy) == 1 &&
        gsasl_init(&world.library) == GSASL_OK)
        gsasl_callback_set(world.library, ask);
    Gsasl *g = world.library;
    lock_drop(&world.lock);
    return g;
}

/* ---- the table ---- */

static struct exchange *take(uint64_t id)
{
    lock_take(&world.lock);
    struct exchange **at = world.v ? &world.v[id % EXCHANGES] : NULL, *x = at && *at && (*at)->id == id ? *at : NULL;
    if (x)
        *at = NULL;
    lock_drop(&world.lock);
    return x;
}

/* False: its place is taken by one that is not yet old. */
static bool put_back(struct exchange *x)
{
    struct exchange *old = x;
    lock_take(&world.lock);
    struct exchange **at = &world.v[x->id % EXCHANGES];
    if (!*at || rt_now_fresh() - (*at)->since > EXCHANGE_TIME) {
        old = *at;
        *at = x;
    }
    lock_drop(&world.lock);
    if (old == x)
        return false;
    end(old);
    return true;
}

static struct exchange *begin(bool plus, struct cur *c)
{
    Gsasl *g = library();
    struct exchange *x = g ? calloc(1, sizeof *x) : NULL;
    if (!x)
        return NULL;
    x->since = rt_now_fresh();
    x->bound = cur_u8(c);
    str binding = cur_bytes(c, sizeof x->binding), domain = cur_str16(c);
    if (binding.n == sizeof x->binding)
        memcpy(x->binding, binding.p, binding.n);
    for (int i = 0; i < 8 && !x->id; i++) { /* a free place in the table, with an id that nobody can guess */
        uint64_t id;
        if (RAND_bytes((unsigned char *)&id, sizeof id) == 1 && id && !world.v[id % EXCHANGES])
            x->id = id;
    }
    if (c->bad || !x->id || !str_to_c(domain, x->domain, sizeof x->domain) ||
        gsasl_server_start(g, plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", &x->session) != GSASL_OK) {
        end(x);
        return NULL;
    }
    gsasl_session_hook_set(x->session, x);
    return x;
}

/* ---- handlers ---- */

static enum priv_result result_of(struct exchange *x, int rc)
{
    if (x->down || rc == GSASL_MALLOC_ERROR)
        return PRIV_DOWN;
    if (rc == GSASL_NEEDS_MORE)
        return PRIV_MORE;
    if (rc == GSASL_MECHANISM_PARSE_ERROR || rc == GSASL_MECHANISM_CALLED_TOO_MANY_TIMES)
        return PRIV_BAD;
    if (rc != GSASL_OK || !x->known)
        return PRIV_WRONG;
    const char *authzid = gsasl_property_fast(x->session, GSASL_AUTHZID);
    char folded[PRIV_ACCOUNT_MAX + 1]; /* may only act for itself */
    if (authzid && *authzid && (!name_fold(str_c(authzid), folded) || !str_eq(str_c(folded), str_c(x->account))))
        return PRIV_WRONG;
    return PRIV_DONE;
}

/* u64 id (0: a new one), u8 plus, u8 bound, binding, str16 domain, str16 message; answered by u8 result, u64 id, str16
 * account, title, challenge. */
err priv_do_scram(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    char *answer = NULL;
    size_t n = 0;
    uint64_t id = cur_u64(&c);
    bool plus = cur_u8(&c);
    struct exchange *x = NULL;
    if (!id) {
        x = begin(plus, &c);
    } else {
        x = take(id);
        (void)cur_u8(&c), cur_bytes(&c, 32), cur_str16(&c);
    }
    str message = cur_str16(&c);
    if (!x || c.bad) {
        end(x);
        return x ? E_SYNTAX : E_AGAIN; /* the table is full, or the keeper is a new one */
    }
    int rc = GSASL_MECHANISM_PARSE_ERROR;
    if (!message.n || !memchr(message.p, 0, message.n))
        rc = gsasl_step(x->session, message.n ? message.p : "", message.n, &answer, &n);
    enum priv_result r = result_of(x, rc);
    buf_put_u8(out, (uint8_t)r);
    buf_put_u64(out, r == PRIV_MORE ? x->id : 0);
    buf_put_str16(out, str_c(x->account));
    buf_put_str16(out, str_c(x->title));
    buf_put_str16(out, str_mem(answer, answer ? n : 0));
    gsasl_free(answer);
    if (r == PRIV_MORE && put_back(x))
        return OK;
    end(x);
    return r == PRIV_MORE ? E_AGAIN : OK;
}

err priv_do_scram_end(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    (void)out;
    end(take(cur_u64(&c)));
    return OK;
}
