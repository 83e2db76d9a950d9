/* The worker's side of passwords and SASL: PLAIN and LOGIN are taken apart here (RFC 4616), the rest is packing. */
#include "priv/internal.h"

#include <openssl/crypto.h>

static const char *const mechs[PRIV_MECH_COUNT] = {[PRIV_PLAIN] = "PLAIN",
                                                   [PRIV_LOGIN] = "LOGIN",
                                                   [PRIV_SCRAM] = "SCRAM-SHA-256",
                                                   [PRIV_SCRAM_PLUS] = "SCRAM-SHA-256-PLUS",
                                                   [PRIV_OAUTHBEARER] = "OAUTHBEARER",
                                                   [PRIV_XOAUTH2] = "XOAUTH2"};

const char *priv_mech_name(enum priv_mech m) { return mechs[m]; }

bool priv_mech_find(str name, enum priv_mech *ret)
{
    for (int m = 0; m < PRIV_MECH_COUNT; m++)
        if (str_ieq(name, str_c(mechs[m]))) {
            *ret = (enum priv_mech)m;
            return true;
        }
    return false;
}

/* ---- secrets ---- */

static err call(enum priv_request what, struct buf *in, struct buf *out) YIELDS;
static err call(enum priv_request what, struct buf *in, struct buf *out)
{
    err e = in->e ? in->e : priv_call(what, buf_str(in), out);
    OPENSSL_cleanse(in->p, in->n);
    return e;
}

static void about(struct buf *b, char *mem, size_t size, str account, str title)
{
    buf_init_fixed(b, mem, size);
    buf_put_str16(b, account);
    buf_put_str16(b, title);
}

err priv_secret_set(str account, str title, str password)
{
    char mem[2048];
    struct buf b;
    if (password.n > PRIV_PASSWORD_MAX)
        return E_LIMIT;
    about(&b, mem, sizeof mem, account, title);
    buf_put_str16(&b, password);
    return call(PRIV_secret_set, &b, NULL);
}

err priv_secret_put(const struct priv_secret *s)
{
    char mem[2048];
    struct buf b;
    about(&b, mem, sizeof mem, s->account, s->title);
    buf_put_str16(&b, s->hash);
    buf_put_str16(&b, s->scram);
    buf_put_u8(&b, s->disabled);
    return call(PRIV_secret_put, &b, NULL);
}

err priv_secret_enable(str account, str title, bool on)
{
    char mem[1024];
    struct buf b;
    about(&b, mem, sizeof mem, account, title);
    buf_put_u8(&b, on);
    return call(PRIV_secret_enable, &b, NULL);
}

err priv_secret_remove(str account, const str *title)
{
    char mem[1024];
    struct buf b;
    about(&b, mem, sizeof mem, account, title ? *title : S(""));
    buf_put_u8(&b, !title);
    return call(PRIV_secret_remove, &b, NULL);
}

static bool take_row(struct arena *a, struct cur *c, struct priv_secret *s)
{
    s->account = arena_str(a, cur_str16(c));
    s->title = arena_str(a, cur_str16(c));
    s->hash = arena_str(a, cur_str16(c));
    s->scram = arena_str(a, cur_str16(c));
    s->disabled = cur_u8(c);
    return !c->bad && !a->e;
}

err priv_secret_list(struct arena *a, str account, struct priv_secret **ret, size_t *ret_n)
{
    size_t cap = 0, n = 0;
    struct priv_secret *v = NULL, last = {.account = S(""), .title = S("")};
    char *mem = arena_alloc(a, PRIV_MESSAGE_MAX), in[1024];
    for (bool more = mem != NULL; more;) {
        struct buf ask, out;
        buf_init_fixed(&out, mem, PRIV_MESSAGE_MAX);
        buf_init_fixed(&ask, in, sizeof in);
        buf_put_str16(&ask, account);
        buf_put_str16(&ask, last.account);
        buf_put_str16(&ask, last.title);
        err e = call(PRIV_secret_list, &ask, &out);
        if (e)
            return e;
        more = out.n > 0;
        for (struct cur c = cur_of(buf_str(&out)); c.n;) {
            if (n == cap) {
                struct priv_secret *w = arena_array(a, cap ? cap * 2 : 64, sizeof *w);
                if (!w)
                    return E_NOMEM;
                if (n)
                    memcpy(w, v, n * sizeof *v);
                cap = cap ? cap * 2 : 64;
                v = w;
            }
            if (!take_row(a, &c, &v[n]))
                return a->e ? a->e : E_BUG;
            last = v[n++];
        }
    }
    *ret = v;
    *ret_n = n;
    return mem ? OK : E_NOMEM;
}

err priv_hash_check(str hash, str password)
{
    char mem[2048];
    struct buf b;
    about(&b, mem, sizeof mem, hash, password);
    return call(PRIV_hash_fits, &b, NULL);
}

/* ---- PLAIN and LOGIN ---- */

static enum priv_result check(struct priv_sasl *s, enum priv_request what, bool named, str password) YIELDS;
static enum priv_result check(struct priv_sasl *s, enum priv_request what, bool named, str password)
{
    char mem[2048], back[1024];
    struct buf b, out;
    if (password.n > PRIV_PASSWORD_MAX || !password.n || memchr(password.p, 0, password.n))
        return PRIV_WRONG;
    about(&b, mem, sizeof mem, named ? str_c(s->account) : S(""),
          str_c(s->title)); /* nobody takes as long as somebody */
    buf_put_str16(&b, password);
    buf_init_fixed(&out, back, sizeof back);
    if (call(what, &b, &out))
        return PRIV_DOWN;
    struct cur c = cur_of(buf_str(&out));
    bool fits = cur_u8(&c) && named;
    str title = cur_str16(&c);
    if (fits && !str_to_c(title, s->title, sizeof s->title))
        return PRIV_DOWN;
    return fits ? PRIV_DONE : PRIV_WRONG;
}

static enum priv_result plain(struct priv_sasl *s, enum priv_request what, str in) YIELDS;
static enum priv_result plain(struct priv_sasl *s, enum priv_request what, str in)
{
    str authzid, authcid;
    char folded[PRIV_ACCOUNT_MAX + 1];
    if (!in.p)
        return PRIV_MORE;
    if (!str_cut(&in, 0, &authzid) || !in.p || !str_cut(&in, 0, &authcid) || !in.p || memchr(in.p, 0, in.n) ||
        !authcid.n || !in.n)
        return PRIV_BAD;
    bool named = name_take(authcid, s->domain, s->account, s->title);
    if (named && authzid.n) /* may only act for itself */
        named = name_fold(authzid, folded) && str_eq(str_c(folded), str_c(s->account));
    return check(s, what, named, in);
}

static enum priv_result login(struct priv_sasl *s, str in, struct buf *out) YIELDS;
static enum priv_result login(struct priv_sasl *s, str in, struct buf *out)
{
    if (!in.p) {
        buf_add(out, S("Username:"));
        return PRIV_MORE;
    }
    if (s->round++ == 0) {
        if (!name_take(in, s->domain, s->account, s->title))
            s->account[0] = 0; /* told at the end, as any other */
        buf_add(out, S("Password:"));
        return PRIV_MORE;
    }
    return check(s, PRIV_login, s->account[0], in);
}

/* ---- SCRAM ---- */

static enum priv_result scram(struct priv_sasl *s, str in, struct buf *out) YIELDS;
static enum priv_result scram(struct priv_sasl *s, str in, struct buf *out)
{
    AUTO_BUF b;
    AUTO_BUF back;
    if (in.n > PRIV_MESSAGE_MAX - 512)
        return PRIV_BAD;
    buf_init(&b, PRIV_MESSAGE_MAX);
    buf_init(&back, PRIV_MESSAGE_MAX);
    buf_put_u64(&b, s->id);
    buf_put_u8(&b, s->mech == PRIV_SCRAM_PLUS);
    buf_put_u8(&b, s->bound);
    buf_add(&b, str_mem(s->binding, sizeof s->binding));
    buf_put_str16(&b, s->domain);
    buf_put_str16(&b, in);
    if (b.e || priv_call(PRIV_scram, buf_str(&b), &back))
        return PRIV_DOWN;
    struct cur c = cur_of(buf_str(&back));
    enum priv_result r = (enum priv_result)cur_u8(&c);
    s->id = cur_u64(&c);
    str account = cur_str16(&c), title = cur_str16(&c);
    buf_add(out, cur_str16(&c));
    if (c.bad || out->e || !str_to_c(account, s->account, sizeof s->account) ||
        !str_to_c(title, s->title, sizeof s->title))
        return PRIV_DOWN;
    return r;
}

/* ---- all ---- */

bool priv_sasl_is_costly(const struct priv_sasl *s)
{
    return s->mech == PRIV_PLAIN || (s->mech == PRIV_LOGIN && s->round > 0);
}

enum priv_result priv_sasl_again(struct priv_sasl *s, str in)
{
    enum priv_result r = s->mech == PRIV_PLAIN ? plain(s, PRIV_login_again, in)
                         : s->account[0]       ? check(s, PRIV_login_again, true, in)
                                               : PRIV_WRONG;
    return r == PRIV_DONE ? r : PRIV_WRONG;
}

enum priv_result priv_sasl_step(struct priv_sasl *s, str in, struct buf *out)
{
    switch (s->mech) {
    case PRIV_PLAIN:
        return plain(s, PRIV_login, in);
    case PRIV_LOGIN:
        return login(s, in, out);
    case PRIV_OAUTHBEARER:
    case PRIV_XOAUTH2:
        return PRIV_BAD;
    default:
        return scram(s, in, out);
    }
}

void priv_sasl_end(struct priv_sasl *s)
{
    char mem[8];
    struct buf b;
    if (s->id) {
        buf_init_fixed(&b, mem, sizeof mem);
        buf_put_u64(&b, s->id);
        (void)priv_call(PRIV_scram_end, buf_str(&b), NULL);
    }
    s->id = 0;
}
