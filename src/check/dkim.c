/* DKIM signatures verified (RFC 6376 6.1, RFC 8301, RFC 8463). */
#include "check/signed.h"

enum { CLOCK_SLACK = 300, B_SHOWN = 8 };

static bool set(struct check_dkim *d, enum check_result r, const char *why)
{
    d->result = r;
    d->why = str_c(why);
    return false;
}

static bool time_ok(const struct check *c, const struct dkim_sig *s, struct check_dkim *d)
{
    uint64_t now = c->now_s > 0 ? (uint64_t)c->now_s : 0;
    if (s->has_x && s->x < now)
        return set(d, CHECK_FAIL, "the signature has expired");
    if (s->has_t && s->t != UINT64_MAX && s->t > now + CLOCK_SLACK)
        return set(d, CHECK_FAIL, "the signature is from the future");
    return true;
}

/* l= is honoured only where it leaves nothing unsigned: a body with more text is not what its author wrote (8.2). */
static bool body_ok(const struct check_mail *m, const struct dkim_sig *s, struct check_dkim *d)
{
    const struct body_stream *b = &m->body.form[s->body];
    if (!b->md || b->bad)
        return set(d, CHECK_TEMPERROR, "out of memory");
    if (s->has_l && s->l < b->size) {
        d->partial = true;
        return set(d, CHECK_POLICY, "l= leaves a part of the body unsigned");
    }
    if (s->has_l && s->l > b->size)
        return set(d, CHECK_FAIL, "l= is longer than the body");
    if (memcmp(b->hash, s->body_hash, DKIM_HASH_SIZE) != 0)
        return set(d, CHECK_FAIL, "the body hash did not verify");
    return true;
}

/* A From field that the signature does not cover would be the one that readers see (8.15). */
static bool from_ok(struct check_mail *m, const struct dkim_sig *s, struct check_dkim *d)
{
    str names = s->h, name;
    size_t n = 0, present = fields_count(&m->fields, S("From"));
    while (tags_item(&names, ':', &name))
        n += str_ieq(name, S("From"));
    if (!present)
        return set(d, CHECK_PERMERROR, "the message has no From field");
    return present <= n || set(d, CHECK_POLICY, "a From field is not signed");
}

static void describe(const struct check_mail *m, const struct mail_sig *s, struct check_dkim *d)
{
    struct buf b;
    char *mem = arena_alloc(m->c->mem, B_SHOWN);
    d->domain = s->sig.domain.p ? s->sig.domain : S("");
    d->selector = s->sig.s.p && s->sig.domain.p ? s->sig.s : S("");
    d->identity = s->sig.i.p ? s->sig.i : S("");
    d->algorithm = s->sig.a.p ? s->sig.a : S("");
    d->why = S("");
    d->b = S("");
    if (!mem || !s->sig.b.p)
        return;
    buf_init_fixed(&b, mem, B_SHOWN);
    for (size_t i = 0; i < s->sig.b.n && b.n < B_SHOWN; i++)
        if (ascii_alnum(s->sig.b.p[i]) || s->sig.b.p[i] == '+' || s->sig.b.p[i] == '/')
            buf_add_char(&b, s->sig.b.p[i]);
    d->b = buf_str(&b);
}

static void verify_one(struct check_mail *m, const struct mail_sig *s, struct check_dkim *d) YIELDS
{
    unsigned char hash[DKIM_HASH_SIZE];
    struct sig_verdict v = {0};
    describe(m, s, d);
    if (s->e) {
        d->result = s->e == E_NOMEM ? CHECK_TEMPERROR : CHECK_PERMERROR;
        d->why = s->sig.why.n ? s->sig.why : str_c(err_text(s->e));
        return;
    }
    if (!time_ok(m->c, &s->sig, d) || !from_ok(m, &s->sig, d) || !body_ok(m, &s->sig, d))
        return;
    err e = sig_hash_fields(m, s->field, &s->sig, s->sig.head, hash);
    if (e) {
        set(d, e == E_LIMIT ? CHECK_PERMERROR : CHECK_TEMPERROR,
            e == E_LIMIT ? "the header is too large" : err_text(e));
        return;
    }
    sig_judge(m, &s->sig, hash, &v);
    d->result = v.result;
    d->why = v.why.p ? v.why : S("");
    d->key_bits = v.bits;
    d->testing = v.testing;
}

void dkim_verify(struct check_mail *m, struct check_results *r)
{
    r->dkim_more = m->more;
    r->ndkim = 0;
    r->dkim = arena_array(m->c->mem, m->nsig, sizeof *r->dkim);
    if (m->too_many)
        check_explain(m->c, "dkim: more than %d header fields: signatures are not looked at", CHECK_FIELDS_MAX);
    if (!r->dkim)
        return;
    for (; r->ndkim < m->nsig; r->ndkim++) {
        struct check_dkim *d = &r->dkim[r->ndkim];
        check_explain(m->c, "dkim: signature %zu: " STR_FMT, r->ndkim + 1,
                      STR_ARG(str_sub(m->sig[r->ndkim].field->value, 0, 800)));
        verify_one(m, &m->sig[r->ndkim], d);
        check_explain(m->c, "dkim: signature %zu of " STR_FMT " is %s%s" STR_FMT, r->ndkim + 1, STR_ARG(d->domain),
                      check_result_name(d->result), d->why.n ? ": " : "", STR_ARG(d->why));
    }
}
