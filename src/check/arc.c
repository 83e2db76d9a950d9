/* Authenticated Received Chains validated (RFC 8617 5.2). */
#include "check/signed.h"

#include <openssl/err.h>

/* ---- the form of the chain
 * --------------------------------------------------------------------------------------------- */

static bool broken(struct check_mail *m, const char *why)
{
    if (!m->arc_why.n)
        m->arc_why = str_c(why);
    return false;
}

static bool put_field(struct check_mail *m, const struct head_field **place, const struct head_field *f)
{
    if (*place)
        return broken(m, "a set has a field twice");
    *place = f;
    return true;
}

/* A field that was parsed into one of the two goes to its set. */
static bool put_signature(struct check_mail *m, const struct head_field *f, enum dkim_kind kind)
{
    struct dkim_sig s;
    err e = dkim_sig_parse(f->value, kind, m->c->mem, &s);
    if (e == E_NOMEM)
        m->arc_e = e;
    if (e)
        return broken(m, s.why.n ? s.why.p : err_text(e));
    struct arc_set *set = &m->set[s.instance];
    if (kind == ARC_SEAL)
        set->as = s;
    else
        set->ams = s;
    return put_field(m, kind == ARC_SEAL ? &set->seal : &set->message, f);
}

static bool put_results(struct check_mail *m, const struct head_field *f)
{
    unsigned n;
    str payload;
    if (!arc_results_parse(f->value, &n, &payload))
        return broken(m, "ARC-Authentication-Results does not begin with an instance");
    m->set[n].payload = payload;
    return put_field(m, &m->set[n].results, f);
}

static bool put_any(struct check_mail *m, const struct head_field *f)
{
    if (str_ieq(f->name, S("ARC-Seal")))
        return put_signature(m, f, ARC_SEAL);
    if (str_ieq(f->name, S("ARC-Message-Signature")))
        return put_signature(m, f, ARC_MESSAGE_SIGNATURE);
    return !str_ieq(f->name, S("ARC-Authentication-Results")) || put_results(m, f);
}

/* Each instance from 1 on has its three fields, and says the chain was good (5.2, steps 1 to 3). */
static bool sets_ok(struct check_mail *m)
{
    for (unsigned i = 1; i <= m->nset; i++) {
        const struct arc_set *s = &m->set[i];
        if (!s->results || !s->message || !s->seal)
            return broken(m, "a set is not complete");
    }
    if (m->set[m->nset].as.cv == ARC_CV_FAIL)
        return broken(m, "the chain had failed before");
    for (unsigned i = 1; i <= m->nset; i++)
        if (m->set[i].as.cv != (i == 1 ? ARC_CV_NONE : ARC_CV_PASS))
            return broken(m, "cv= does not fit its instance");
    return true;
}

static size_t arc_fields(const struct check_mail *m)
{
    return fields_count(&m->fields, S("ARC-Seal")) + fields_count(&m->fields, S("ARC-Message-Signature")) +
           fields_count(&m->fields, S("ARC-Authentication-Results"));
}

void arc_collect(struct check_mail *m)
{
    size_t n = arc_fields(m);
    if (!n)
        return;
    if (n > 3 * DKIM_INSTANCE_MAX) {
        broken(m, "more than 50 sets");
        return;
    }
    m->set = arena_array(m->c->mem, DKIM_INSTANCE_MAX + 1, sizeof *m->set);
    if (!m->set) {
        m->arc_e = E_NOMEM;
        return;
    }
    for (size_t i = 0; i < m->fields.n; i++) /* all of them, so that the newest set is known even of a broken chain */
        put_any(m, &m->fields.v[i].f);
    for (unsigned i = 1; i <= DKIM_INSTANCE_MAX; i++)
        if (m->set[i].seal || m->set[i].message || m->set[i].results)
            m->nset = i;
    m->arc_sealed_fail = m->nset && m->set[m->nset].seal && m->set[m->nset].as.cv == ARC_CV_FAIL;
    if (!m->arc_why.n && sets_ok(m))
        return;
    m->arc_last = m->nset;
    m->nset = 0;
}

/* ---- the signatures
 * ------------------------------------------------------------------------------------------------------ */

static bool chain_fails(struct check_arc *r, unsigned instance, const char *what, struct check *c, str why)
{
    r->result = CHECK_FAIL;
    r->why = arena_printf(c->mem, "i=%u %s: " STR_FMT, instance, what, STR_ARG(why));
    return false;
}

static bool message_hash_ok(struct check_mail *m, const struct arc_set *s, enum canon body)
{
    const struct body_stream *b = &m->body.form[body];
    return b->md && !b->bad && (!s->ams.has_l || s->ams.l == b->size) &&
           memcmp(b->hash, s->ams.body_hash, DKIM_HASH_SIZE) == 0;
}

/* One way of reading the newest ARC-Message-Signature. */
static bool message_ok(struct check_mail *m, enum canon head, enum canon body, struct sig_verdict *v) YIELDS
{
    struct arc_set *s = &m->set[m->nset];
    unsigned char hash[DKIM_HASH_SIZE];
    *v = (struct sig_verdict){.result = CHECK_FAIL, .why = S("the body hash did not verify")};
    if (!message_hash_ok(m, s, body))
        return false;
    err e = sig_hash_fields(m, s->message, &s->ams, head, hash);
    if (e)
        v->why = str_c(err_text(e));
    else
        sig_judge(m, &s->ams, hash, v);
    return v->result == CHECK_PASS;
}

static bool newest_message_ok(struct check_mail *m, struct check_arc *r) YIELDS
{
    const struct dkim_sig *s = &m->set[m->nset].ams;
    struct sig_verdict v;
    if (s->has_x && m->c->now_s > 0 && s->x < (uint64_t)m->c->now_s)
        return chain_fails(r, m->nset, "ARC-Message-Signature", m->c, S("it has expired"));
    if (message_ok(m, s->head, s->body, &v))
        return true;
    /* Sealers that are older than RFC 8617 leave c= out and mean relaxed. */
    if (!s->has_c && message_ok(m, CANON_RELAXED, CANON_RELAXED, &v))
        return true;
    return chain_fails(r, m->nset, "ARC-Message-Signature", m->c, v.why);
}

void arc_scope_set(struct buf *out, const struct arc_set *s, bool whole)
{
    canon_field(out, CANON_RELAXED, s->results);
    canon_field(out, CANON_RELAXED, s->message);
    if (whole)
        canon_field(out, CANON_RELAXED, s->seal);
    else
        canon_field_unsigned(out, CANON_RELAXED, s->seal, canon_b_value(s->seal->value));
}

/* The seal of set i over the sets before it, whose hash goes on in `before`. */
static err seal_hash(struct check_mail *m, const EVP_MD_CTX *before, const struct arc_set *s, unsigned char *ret)
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    buf_clear(&m->scratch);
    arc_scope_set(&m->scratch, s, false);
    bool ok = x && !m->scratch.e && EVP_MD_CTX_copy_ex(x, before) == 1 &&
              EVP_DigestUpdate(x, m->scratch.p, m->scratch.n) == 1 && EVP_DigestFinal_ex(x, ret, NULL) == 1;
    EVP_MD_CTX_free(x);
    return ok ? OK : E_NOMEM;
}

static err seal_pass_on(struct check_mail *m, EVP_MD_CTX *x, const struct arc_set *s)
{
    buf_clear(&m->scratch);
    arc_scope_set(&m->scratch, s, true);
    return !m->scratch.e && EVP_DigestUpdate(x, m->scratch.p, m->scratch.n) == 1 ? OK : E_NOMEM;
}

static bool seals_ok(struct check_mail *m, struct check_arc *r) YIELDS
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x && EVP_DigestInit_ex(x, EVP_sha256(), NULL) == 1;
    if (!ok)
        chain_fails(r, m->nset, "ARC-Seal", m->c, S("out of memory"));
    for (unsigned i = 1; i <= m->nset && ok; i++) {
        const struct arc_set *s = &m->set[i];
        unsigned char hash[DKIM_HASH_SIZE];
        struct sig_verdict v = {.result = CHECK_FAIL, .why = S("out of memory")};
        if (!seal_hash(m, x, s, hash))
            sig_judge(m, &s->as, hash, &v);
        if (v.result != CHECK_PASS || seal_pass_on(m, x, s))
            ok = chain_fails(r, i, "ARC-Seal", m->c, v.why);
    }
    EVP_MD_CTX_free(x);
    ERR_clear_error();
    return ok;
}

/* The lowest instance from which on every ARC-Message-Signature still verifies; 0: all do. Only those whose body
 * form was hashed anyway are looked at. */
static unsigned oldest_pass(struct check_mail *m) YIELDS
{
    unsigned last = m->nset;
    for (unsigned i = m->nset - 1; i > 0; i--) {
        struct arc_set *s = &m->set[i];
        unsigned char hash[DKIM_HASH_SIZE];
        struct sig_verdict v = {0};
        if (!message_hash_ok(m, s, s->ams.body) || sig_hash_fields(m, s->message, &s->ams, s->ams.head, hash))
            return last;
        sig_judge(m, &s->ams, hash, &v);
        if (v.result != CHECK_PASS)
            return last;
        last = i;
    }
    return 0;
}

void arc_verify(struct check_mail *m, struct check_results *r)
{
    struct check_arc *a = &r->arc;
    *a = (struct check_arc){.why = S(""), .domain = S(""), .results = S("")};
    if (m->too_many)
        broken(m, "too many header fields");
    if (m->arc_why.n) { /* RFC 8617 5.2.1: all failures are permanent */
        a->result = CHECK_FAIL;
        a->why = m->arc_why;
        a->instances = m->arc_last;
    } else if (m->nset) {
        a->instances = m->nset;
        a->domain = m->set[m->nset].as.domain;
        if (newest_message_ok(m, a) && seals_ok(m, a)) {
            a->result = CHECK_PASS;
            a->results = m->set[m->nset].payload;
            a->oldest_pass = oldest_pass(m);
        }
    }
    check_explain(m->c, "arc: %u sets, %s%s" STR_FMT, a->instances, check_result_name(a->result), a->why.n ? ": " : "",
                  STR_ARG(a->why));
}
