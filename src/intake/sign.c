/* Which keys sign a message, and their signatures (RFC 6376 5). The keeper signs; the fiber sleeps meanwhile. */
#include "intake/sign.h"
#include "base/cleanup.h"
#include "keys/keys.h"
#include "priv/priv.h"
#include "wire/author.h"

enum { SEAL_RESULTS_MAX = 64 * 1024 };

static const struct {
    enum canon head, body;
} forms[] = {
    [CONF_DKIM_RR] = {CANON_RELAXED, CANON_RELAXED},
    [CONF_DKIM_RS] = {CANON_RELAXED, CANON_SIMPLE},
    [CONF_DKIM_SR] = {CANON_SIMPLE, CANON_RELAXED},
    [CONF_DKIM_SS] = {CANON_SIMPLE, CANON_SIMPLE},
};

err sign_begin(const struct conf *c, struct check_body **ret)
{
    bool simple = false, relaxed = false;
    *ret = NULL;
    for (size_t i = 0; i < c->ndkims; i++) {
        bool is_simple = forms[c->dkims[i].canonicalization].body == CANON_SIMPLE;
        simple = simple || is_simple;
        relaxed = relaxed || !is_simple;
    }
    return c->ndkims ? check_body_new(ret, simple, relaxed) : OK;
}

static str domain_of(str address)
{
    size_t at = str_rfind(address, '@');
    return at == STR_NONE ? S("") : str_skip(address, at + 1);
}

static bool may_sign_for(const struct sign_who *w, str author)
{
    return !w->account.n || str_ieq(domain_of(w->account), author) || str_ieq(domain_of(w->sender), author);
}

/* The keys of one section: its own, or those that the server made and uses now. */
static size_t keys_of(const struct conf_dkim *d, struct keys_signer ret[KEYS_SIGNERS_MAX])
{
    if (!d->selector.n)
        return keys_signers(d->domain, ret);
    ret[0].rsa = d->algorithm == CONF_DKIM_RSA;
    return str_to_c(d->title, ret[0].name, sizeof ret[0].name) &&
           str_to_c(d->selector, ret[0].selector, sizeof ret[0].selector);
}

static bool has_key(const struct conf *c, str domain, bool above)
{
    struct keys_signer unused[KEYS_SIGNERS_MAX];
    for (size_t i = 0; i < c->ndkims; i++)
        if (str_eq(c->dkims[i].domain, domain) && (!above || c->dkims[i].subdomains) && keys_of(&c->dkims[i], unused))
            return true;
    return false;
}

/* The author's own domain, or the nearest above it that has a key for it. p NULL: none. */
static str signing_domain(const struct conf *c, str author)
{
    for (bool above = false; author.n; above = true) {
        if (has_key(c, author, above))
            return author;
        size_t dot = str_find(author, '.');
        if (dot == STR_NONE)
            break;
        author = str_skip(author, dot + 1);
    }
    return (str){NULL, 0};
}

bool sign_has_key(const struct conf *c, str author) { return signing_domain(c, author).p != NULL; }

static err ask_keeper(void *arg, const unsigned char hash[DKIM_HASH_SIZE], struct buf *out)
{
    const struct keys_signer *k = arg;
    return priv_mail_sign(str_c(k->name), hash, out);
}

static struct sign_order order_of(const struct conf_dkim *d, struct keys_signer *k, int64_t now_s)
{
    return (struct sign_order){
        .alg = k->rsa ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256,
        .domain = d->domain,
        .selector = str_c(k->selector),
        .head = forms[d->canonicalization].head,
        .body = forms[d->canonicalization].body,
        .headers = d->names,
        .t = now_s,
        .sign = ask_keeper,
        .arg = k,
    };
}

static err sign_with(const struct conf_dkim *d, struct keys_signer *k, const struct sign_who *w, str head,
                     struct check_body *b, struct buf *out) YIELDS
{
    struct sign_order o = order_of(d, k, w->now_s);
    o.x = d->expire ? w->now_s + d->expire / RT_S : 0;
    const unsigned char *hash = check_body_hash(b, o.body);
    err e = hash ? check_sign(&o, head, hash, out) : E_NOMEM;
    if (e == E_NOT_FOUND || e == E_LIMIT) {
        rt_log(EV_unsigned, log_c(k->name), log_err(e));
        return OK;
    }
    if (!e)
        metric_add(M_signatures_made, 1);
    return e;
}

static err sign_section(const struct conf_dkim *d, const struct sign_who *w, str head, struct check_body *b,
                        struct buf *out) YIELDS
{
    struct keys_signer k[KEYS_SIGNERS_MAX];
    size_t n = keys_of(d, k);
    err e = OK;
    for (size_t i = 0; i < n && !e; i++)
        e = sign_with(d, &k[i], w, head, b, out);
    return e;
}

err sign_head(const struct conf *c, const struct sign_who *w, str head, struct check_body *b, struct buf *out)
{
    AUTO_ARENA mem = {0};
    str author, domain = {NULL, 0};
    err e = OK;
    arena_init(&mem, 4096, 1 << 20);
    (void)author_domain(head, &mem, &author);
    if (author.n && may_sign_for(w, author))
        domain = signing_domain(c, author);
    for (size_t i = 0; domain.p && i < c->ndkims && !e; i++)
        if (str_eq(c->dkims[i].domain, domain) && (c->dkims[i].subdomains || str_eq(domain, author)))
            e = sign_section(&c->dkims[i], w, head, b, out);
    return e;
}

err sign_text(const struct conf *c, const struct sign_who *w, str message, struct buf *out)
{
    struct check_body *b = NULL;
    size_t head = head_len(message, NULL);
    err e = sign_begin(c, &b);
    if (e || !b)
        return e;
    check_body_feed(b, str_skip(message, head));
    e = sign_head(c, w, str_sub(message, 0, head), b, out);
    check_body_free(&b);
    return e;
}

/* ---- ARC ---- */

const struct conf_dkim *seal_section(const struct conf *c)
{
    for (size_t i = 0; c->check_seal.n && i < c->ndkims; i++)
        if (str_ieq(c->dkims[i].title, c->check_seal))
            return &c->dkims[i];
    return NULL;
}

bool seal_is_simple(const struct conf_dkim *d) { return forms[d->canonicalization].body == CANON_SIMPLE; }

/* One key alone: of RSA, which everybody who verifies chains knows. */
static struct keys_signer *seal_key(const struct conf_dkim *d, struct keys_signer v[KEYS_SIGNERS_MAX])
{
    size_t n = keys_of(d, v);
    for (size_t i = 0; i < n; i++)
        if (v[i].rsa)
            return &v[i];
    return n ? v : NULL;
}

err seal_head(const struct conf *c, struct check_mail *m, const struct check_arc *arc, str head,
              struct check_body *body, int64_t now_s, struct buf *out)
{
    AUTO_BUF results = {.max = SEAL_RESULTS_MAX};
    struct keys_signer v[KEYS_SIGNERS_MAX];
    const struct conf_dkim *d = seal_section(c);
    struct keys_signer *k = d ? seal_key(d, v) : NULL;
    enum arc_cv cv = arc->result == CHECK_PASS ? ARC_CV_PASS : arc->result == CHECK_NONE ? ARC_CV_NONE : ARC_CV_FAIL;
    str word;
    bool any, sealed = false;
    size_t before = out->n;
    if (!k)
        return OK;
    struct sign_order o = order_of(d, k, now_s);
    o.headers = S("");
    o.body_hash = body ? check_body_hash(body, o.body) : NULL;
    err e = body && !o.body_hash ? E_NOMEM : check_seal_results(head, c->check_authserv_id, &results, &word, &any);
    e = e ? e : check_seal(&o, m, head, buf_str(&results), cv, out, &sealed);
    if (e)
        out->n = before;
    if (e == E_NOT_FOUND || e == E_LIMIT) {
        rt_log(EV_unsigned, log_c(k->name), log_err(e));
        return OK;
    }
    if (sealed)
        metric_add(M_seals_made, 1);
    return e;
}
