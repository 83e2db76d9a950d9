/* DKIM-Signature, ARC-Message-Signature, ARC-Seal, ARC-Authentication-Results and key records. */
#include "wire/dkim.h"
#include "base/text.h"
#include "wire/addr.h"
#include "wire/idn.h"
#include "wire/mime_param.h"

const char *dkim_alg_name(enum dkim_alg a) { return a == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256"; }

bool dkim_alg_parse(str a, enum dkim_alg *ret)
{
    for (enum dkim_alg k = DKIM_RSA_SHA256; k <= DKIM_ED25519_SHA256; k++)
        if (str_eq(a, str_c(dkim_alg_name(k)))) {
            *ret = k;
            return true;
        }
    return false;
}

static bool one_canon(str c, enum canon *ret)
{
    *ret = str_eq(c, S("relaxed")) ? CANON_RELAXED : CANON_SIMPLE;
    return *ret == CANON_RELAXED || str_eq(c, S("simple"));
}

bool dkim_canon_parse(str c, enum canon *ret_head, enum canon *ret_body)
{
    size_t slash = str_find(c, '/');
    *ret_body = CANON_SIMPLE;
    return one_canon(str_sub(c, 0, slash == STR_NONE ? c.n : slash), ret_head) &&
           (slash == STR_NONE || one_canon(str_skip(c, slash + 1), ret_body));
}

static err bad(struct dkim_sig *s, err e, const char *why)
{
    s->why = str_c(why);
    return e;
}

/* Decimal digits; more than 64 bits hold is as much as they hold. */
static bool number(str v, uint64_t *ret)
{
    if (text_u64(v, ret))
        return true;
    for (size_t i = 0; i < v.n; i++)
        if (!ascii_digit(v.p[i]))
            return false;
    *ret = UINT64_MAX;
    return v.n > 0;
}

static bool name_valid(str name) { return domain_valid(name, ADDR_F_UTF8 | ADDR_F_UNDERSCORE); }

/* ---- d=, s=, i= -------------------------------------------------------------------------------------------- */

static err read_domain(struct dkim_sig *s, const struct tags *t, struct arena *a)
{
    str ascii;
    s->d = tags_get(t, S("d"));
    s->s = tags_get(t, S("s"));
    if (!s->d.n || !name_valid(s->d))
        return bad(s, E_SYNTAX, s->d.p ? "d= is not a domain name" : "no d= tag");
    if (!s->s.n || !name_valid(s->s))
        return bad(s, E_SYNTAX, s->s.p ? "s= is not a selector" : "no s= tag");
    err e = idn_to_ascii(s->d, a, &s->domain);
    e = e ? e : idn_to_ascii(s->s, a, &ascii);
    if (e)
        return bad(s, e, "d= or s= cannot be looked up");
    s->key_name = arena_printf(a, STR_FMT "._domainkey." STR_FMT, STR_ARG(ascii), STR_ARG(s->domain));
    return s->key_name.p ? OK : E_NOMEM;
}

/* The identity must be in the domain or below it (3.5). */
static err read_identity(struct dkim_sig *s, const struct tags *t, struct arena *a)
{
    str raw = tags_get(t, S("i")), domain;
    if (!raw.p) {
        s->i = arena_printf(a, "@" STR_FMT, STR_ARG(s->d));
        return s->i.p ? OK : E_NOMEM;
    }
    struct buf b;
    char *mem = arena_alloc(a, raw.n + 1);
    if (!mem)
        return E_NOMEM;
    buf_init_fixed(&b, mem, raw.n + 1);
    size_t at = str_rfind(raw, '@');
    if (at == STR_NONE || tags_unquote(str_sub(raw, 0, at), &b))
        return bad(s, E_SYNTAX, "i= is not an identity");
    buf_add(&b, str_skip(raw, at));
    s->i = buf_str(&b);
    domain = str_skip(raw, at + 1);
    if (!name_valid(domain) || idn_to_ascii(domain, a, &domain))
        return bad(s, a->e ? E_NOMEM : E_SYNTAX, "i= has no domain name");
    if (!str_iends(domain, s->domain) || (domain.n > s->domain.n && domain.p[domain.n - s->domain.n - 1] != '.'))
        return bad(s, E_SYNTAX, "i= is not within d=");
    return OK;
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

static bool field_name_ok(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 32 || name.p[i] >= 127)
            return false;
    return name.n > 0;
}

static err read_headers(struct dkim_sig *s, const struct tags *t)
{
    str rest, name;
    bool from = false;
    unsigned n = 0;
    s->h = rest = tags_get(t, S("h"));
    if (!rest.p)
        return bad(s, E_SYNTAX, "no h= tag");
    while (tags_item(&rest, ':', &name)) {
        if (!field_name_ok(name))
            return bad(s, E_SYNTAX, "h= is not a list of field names");
        if (++n > DKIM_HEADERS_MAX)
            return bad(s, E_LIMIT, "h= has too many names");
        from = from || str_ieq(name, S("From"));
        if (s->kind == ARC_MESSAGE_SIGNATURE && str_ieq(name, S("ARC-Seal"))) /* RFC 8617 4.1.2 */
            return bad(s, E_SYNTAX, "h= names ARC-Seal");
    }
    return from ? OK : bad(s, E_SYNTAX, "h= does not name From"); /* 5.4 */
}

static err read_hash(struct dkim_sig *s, const struct tags *t)
{
    unsigned char mem[DKIM_HASH_SIZE + 3];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    str bh = tags_get(t, S("bh"));
    if (!bh.n)
        return bad(s, E_SYNTAX, "no bh= tag");
    if (tags_base64(bh, &b) || b.n != DKIM_HASH_SIZE)
        return bad(s, E_SYNTAX, "bh= is not a hash of this algorithm");
    memcpy(s->body_hash, mem, DKIM_HASH_SIZE);
    return OK;
}

static err read_signature(struct dkim_sig *s, const struct tags *t, struct arena *a)
{
    s->b = tags_get(t, S("b"));
    if (!s->b.n)
        return bad(s, E_SYNTAX, "no b= tag");
    if (s->b.n > 4 * DKIM_SIG_MAX)
        return bad(s, E_LIMIT, "b= is too long");
    unsigned char *mem = arena_alloc(a, s->b.n);
    struct buf b;
    if (!mem)
        return E_NOMEM;
    buf_init_fixed(&b, mem, s->b.n);
    if (tags_base64(s->b, &b) || !b.n)
        return bad(s, E_SYNTAX, "b= is not base64");
    if (b.n > DKIM_SIG_MAX)
        return bad(s, E_LIMIT, "b= is too long");
    s->signature = buf_str(&b);
    return OK;
}

static err read_forms(struct dkim_sig *s, const struct tags *t)
{
    str c = tags_get(t, S("c"));
    s->a = tags_get(t, S("a"));
    if (!s->a.n)
        return bad(s, E_SYNTAX, "no a= tag");
    if (!dkim_alg_parse(s->a, &s->alg))
        return bad(s, E_UNSUPPORTED,
                   str_eq(s->a, S("rsa-sha1")) ? "rsa-sha1 is no longer accepted (RFC 8301)"
                                               : "unknown algorithm in a=");
    s->has_c = c.p;
    if (s->kind == ARC_SEAL)
        s->head = CANON_RELAXED;
    else if (c.p && !dkim_canon_parse(c, &s->head, &s->body))
        return bad(s, E_UNSUPPORTED, "unknown canonicalization in c=");
    return OK;
}

static err read_times(struct dkim_sig *s, const struct tags *t)
{
    str l = tags_get(t, S("l")), at = tags_get(t, S("t")), x = tags_get(t, S("x"));
    s->has_t = at.p;
    if (at.p && !number(at, &s->t))
        return bad(s, E_SYNTAX, "t= is not a time");
    if (s->kind == ARC_SEAL)
        return OK;
    s->has_l = l.p;
    s->has_x = x.p;
    if (l.p && (l.n > 76 || !number(l, &s->l)))
        return bad(s, E_SYNTAX, "l= is not a length");
    if (x.p && !number(x, &s->x))
        return bad(s, E_SYNTAX, "x= is not a time");
    return s->has_t && s->has_x && s->x <= s->t ? bad(s, E_SYNTAX, "x= is not behind t=") : OK;
}

static err read_query(struct dkim_sig *s, const struct tags *t)
{
    str q = tags_get(t, S("q")), one;
    bool found = !q.p;
    while (q.p && tags_item(&q, ':', &one))
        found = found || str_eq(one, S("dns/txt")) || str_eq(one, S("dns"));
    return found ? OK : bad(s, E_UNSUPPORTED, "unknown query method in q=");
}

static bool instance_parse(str v, unsigned *ret)
{
    uint64_t n;
    if (v.n > 2 || !text_u64(v, &n) || n < 1 || n > DKIM_INSTANCE_MAX)
        return false;
    *ret = (unsigned)n;
    return true;
}

static err read_cv(struct dkim_sig *s, const struct tags *t)
{
    static const str words[] = {S_INIT("none"), S_INIT("pass"), S_INIT("fail")};
    str cv = tags_get(t, S("cv"));
    for (enum arc_cv k = ARC_CV_NONE; k <= ARC_CV_FAIL; k++)
        if (str_eq(cv, words[k])) {
            s->cv = k;
            return tags_get(t, S("h")).p ? bad(s, E_SYNTAX, "an h= tag in a seal") : OK; /* RFC 8617 4.1.3 */
        }
    return bad(s, E_SYNTAX, cv.p ? "cv= is none of none, pass and fail" : "no cv= tag");
}

static err read_signed(struct dkim_sig *s, const struct tags *t, struct arena *a)
{
    err e = OK;
    if (s->kind == DKIM_SIGNATURE) {
        str v = tags_get(t, S("v"));
        if (!str_eq(v, S("1")))
            return bad(s, v.p ? E_UNSUPPORTED : E_SYNTAX, v.p ? "unknown version in v=" : "no v= tag");
        e = read_identity(s, t, a);
        e = e ? e : read_query(s, t);
    }
    e = e ? e : read_headers(s, t);
    return e ? e : read_hash(s, t);
}

err dkim_sig_parse(str value, enum dkim_kind kind, struct arena *a, struct dkim_sig *ret)
{
    struct tags t;
    *ret = (struct dkim_sig){.kind = kind};
    err e = tags_parse(value, &t);
    if (e)
        return bad(ret, e, e == E_LIMIT ? "too many tags" : "not a list of tags");
    if (kind != DKIM_SIGNATURE && !instance_parse(tags_get(&t, S("i")), &ret->instance))
        return bad(ret, E_SYNTAX, "i= is not an instance from 1 to 50");
    e = read_domain(ret, &t, a);
    e = e ? e : read_forms(ret, &t);
    e = e ? e : read_signature(ret, &t, a);
    e = e ? e : read_times(ret, &t);
    if (!e)
        e = kind == ARC_SEAL ? read_cv(ret, &t) : read_signed(ret, &t, a);
    return e;
}

bool arc_results_parse(str value, unsigned *ret_instance, str *ret_payload)
{
    str s = mime_skip_cfws(value);
    if (!str_starts(s, S("i")))
        return false;
    s = mime_skip_cfws(str_skip(s, 1));
    if (!str_starts(s, S("=")))
        return false;
    s = mime_skip_cfws(str_skip(s, 1));
    size_t n = 0;
    unsigned instance;
    while (n < s.n && ascii_digit(s.p[n]))
        n++;
    str digits = str_sub(s, 0, n);
    s = mime_skip_cfws(str_skip(s, n));
    if (!instance_parse(digits, &instance) || !str_starts(s, S(";")))
        return false;
    *ret_instance = instance;
    *ret_payload = tags_trim(str_skip(s, 1));
    return true;
}

/* ---- key records ------------------------------------------------------------------------------------------------ */

static err bad_key(struct dkim_key *k, err e, const char *why)
{
    k->why = str_c(why);
    return e;
}

/* Absent, or one of the words is in the list. */
static bool allows(const struct tags *t, str tag, str word, str also)
{
    str list = tags_get(t, tag), one;
    bool found = !list.p;
    while (list.p && tags_item(&list, ':', &one))
        found = found || str_eq(one, word) || (also.n && str_eq(one, also));
    return found;
}

err dkim_key_parse(str record, struct arena *a, struct dkim_key *ret)
{
    struct tags t;
    struct buf b;
    *ret = (struct dkim_key){.alg = DKIM_RSA_SHA256};
    err e = tags_parse(record, &t);
    if (e)
        return bad_key(ret, e, "the key record is not a list of tags");
    str v = tags_get(&t, S("v")), k = tags_get(&t, S("k")), p = tags_get(&t, S("p")), flag = tags_get(&t, S("t")), one;
    if (v.p && (!str_eq(v, S("DKIM1")) || !str_eq(t.v[0].name, S("v")))) /* 3.6.1 */
        return bad_key(ret, E_UNSUPPORTED, "the key record is not of version DKIM1");
    if (k.p && str_eq(k, S("ed25519")))
        ret->alg = DKIM_ED25519_SHA256;
    else if (k.p && !str_eq(k, S("rsa")))
        return bad_key(ret, E_UNSUPPORTED, "unknown type of key in k=");
    if (!allows(&t, S("h"), S("sha256"), S("")))
        return bad_key(ret, E_UNSUPPORTED, "the key does not allow this hash");
    if (!allows(&t, S("s"), S("*"), S("email")))
        return bad_key(ret, E_UNSUPPORTED, "the key is not for email");
    while (flag.p && tags_item(&flag, ':', &one)) {
        ret->strict = ret->strict || str_eq(one, S("s"));
        ret->testing = ret->testing || str_eq(one, S("y"));
    }
    if (!p.p)
        return bad_key(ret, E_SYNTAX, "no p= tag in the key record");
    char *mem = arena_alloc(a, p.n + 1);
    if (!mem)
        return E_NOMEM;
    buf_init_fixed(&b, mem, p.n + 1);
    if (tags_base64(p, &b))
        return bad_key(ret, E_SYNTAX, "p= is not base64");
    ret->p = buf_str(&b);
    return OK;
}
