/*
 * One message on its way through DKIM and ARC: its fields are read first, its body goes by once, the keys are asked for
 * at the end.
 */
#include "check/signed.h"

enum { SCRATCH_MAX = 4 << 20 };

static err want_body(struct check_mail *m, const struct dkim_sig *s)
{
    err e = body_hash_want(&m->body, s->body);
    if (!e && !s->has_c) /* an old sealer may have meant relaxed: arc.c */
        e = s->kind == ARC_MESSAGE_SIGNATURE ? body_hash_want(&m->body, CANON_RELAXED) : OK;
    return e;
}

static err read_signatures(struct check_mail *m)
{
    size_t n = fields_count(&m->fields, S("DKIM-Signature"));
    m->more = n > CHECK_SIGNATURES_MAX;
    n = m->more ? CHECK_SIGNATURES_MAX : n;
    m->sig = arena_array(m->c->mem, n, sizeof *m->sig);
    if (n && !m->sig)
        return E_NOMEM;
    for (size_t i = 0; i < m->fields.n && m->nsig < n; i++) {
        const struct head_field *f = &m->fields.v[i].f;
        if (!str_ieq(f->name, S("DKIM-Signature")))
            continue;
        struct mail_sig *s = &m->sig[m->nsig++];
        s->field = f;
        s->e = dkim_sig_parse(f->value, DKIM_SIGNATURE, m->c->mem, &s->sig);
        if (!s->e && want_body(m, &s->sig))
            return E_NOMEM;
    }
    return OK;
}

static err begin(struct check_mail *m, str head, bool arc)
{
    err e = fields_read(&m->fields, head, m->c->mem);
    if (e == E_LIMIT) { /* nobody writes such a message; what it says is not looked at */
        m->too_many = true;
        return OK;
    }
    e = e ? e : read_signatures(m);
    if (!e && arc) {
        arc_collect(m);
        e = m->arc_e;
        if (!e && m->nset)
            e = want_body(m, &m->set[m->nset].ams);
    }
    return e;
}

err check_mail_begin(struct check *c, str head, bool arc, struct check_mail **ret)
{
    struct check_mail *m = arena_new(c->mem, struct check_mail);
    if (!m)
        return E_NOMEM;
    m->c = c;
    m->arc = arc;
    buf_init(&m->scratch, SCRATCH_MAX);
    err e = begin(m, head, arc);
    if (e)
        check_mail_free(&m);
    else
        *ret = m;
    return e;
}

err check_mail_want(struct check_mail *m, bool relaxed)
{
    return body_hash_want(&m->body, relaxed ? CANON_RELAXED : CANON_SIMPLE);
}

void check_mail_body(struct check_mail *m, str octets) { body_hash_feed(&m->body, octets); }

void check_mail_end(struct check_mail *m, struct check_results *r)
{
    body_hash_end(&m->body);
    dkim_verify(m, r);
    if (m->arc)
        arc_verify(m, r);
}

void check_mail_free(struct check_mail **m)
{
    if (!*m)
        return;
    body_hash_free(&(*m)->body);
    buf_free(&(*m)->scratch);
    *m = NULL;
}

/* ---- keys -----------------------------------------------------------------------------------------------------------
 */

static struct mail_key *key_known(struct check_mail *m, str name)
{
    for (struct mail_key *k = m->keys; k; k = k->next)
        if (str_eq(k->name, name))
            return k;
    return NULL;
}

/* Each name is asked for once a message. NULL without memory. */
static struct mail_key *key_ask(struct check_mail *m, str name) YIELDS
{
    struct arena *mem = m->c->mem;
    struct mail_key *k = key_known(m, name);
    struct dns_answer ans = {0};
    struct arena once;
    if (k || !(k = arena_new(mem, struct mail_key)))
        return k;
    k->name = name;
    k->next = m->keys;
    m->keys = k;
    check_answer_begin(&once);
    k->e = check_ask(m->c, name, DNS_TXT, &once, &ans);
    for (size_t i = 0; !k->e && i < ans.n && k->n < sizeof k->record / sizeof *k->record; i++) {
        k->record[k->n] = arena_str(mem, str_sub(ans.v[i].data, 0, CHECK_KEY_RECORD_MAX + 1));
        if (!k->record[k->n].p)
            k->e = E_NOMEM;
        else
            k->n++;
    }
    arena_free(&once);
    return k;
}

static struct sig_verdict verdict(enum check_result r, const char *why)
{
    return (struct sig_verdict){.result = r, .why = str_c(why)};
}

static bool within_exactly(const struct dkim_sig *s)
{
    size_t at = str_rfind(s->i, '@');
    return str_ieq(str_skip(s->i, at + 1), s->d) || str_ieq(str_skip(s->i, at + 1), s->domain);
}

static struct sig_verdict judge_with(struct check_mail *m, const struct dkim_sig *s, const unsigned char *hash,
                                     str record)
{
    struct dkim_key key;
    struct sig_verdict v = {0};
    if (record.n > CHECK_KEY_RECORD_MAX)
        return verdict(CHECK_PERMERROR, "the key record is too long");
    err e = dkim_key_parse(record, m->c->mem, &key);
    if (e == E_NOMEM || m->c->mem->e)
        return verdict(CHECK_TEMPERROR, "out of memory");
    if (e)
        return (struct sig_verdict){.result = CHECK_PERMERROR, .why = key.why};
    if (!key.p.n)
        return verdict(CHECK_PERMERROR, "the key was revoked");
    if (key.alg != s->alg)
        return verdict(CHECK_PERMERROR, "the key is for another algorithm");
    if (key.strict && s->kind == DKIM_SIGNATURE && !within_exactly(s))
        return verdict(CHECK_PERMERROR, "the key does not sign for subdomains");
    e = key_verify(s->alg, key.p, hash, s->signature, &v.bits);
    v.testing = key.testing;
    v.result = !e ? CHECK_PASS : e == E_DENIED ? CHECK_FAIL : e == E_LIMIT ? CHECK_POLICY : CHECK_PERMERROR;
    if (e == E_DENIED)
        v.why = S("the signature did not verify");
    else if (e == E_LIMIT)
        v.why = v.bits && v.bits < CHECK_RSA_BITS_MIN ? S("the key is too short") : S("the key is too long");
    else if (e)
        v.why = S("p= of the key record is not a key of its type");
    return v;
}

void sig_judge(struct check_mail *m, const struct dkim_sig *s, const unsigned char hash[DKIM_HASH_SIZE],
               struct sig_verdict *ret)
{
    struct mail_key *k = key_ask(m, s->key_name);
    if (!k || k->e == E_NOMEM)
        *ret = verdict(CHECK_TEMPERROR, "out of memory");
    else if (k->e == E_DNS_TEMP || k->e == E_DNS_BOGUS || (k->e && err_class(k->e) != ERR_PERM))
        *ret = verdict(CHECK_TEMPERROR, "the key could not be looked up");
    else if (k->e || !k->n)
        *ret = verdict(CHECK_PERMERROR, "no key for this signature");
    else
        for (size_t i = 0; i < k->n; i++) { /* 6.1.2: any of several records may be the one */
            struct sig_verdict v = judge_with(m, s, hash, k->record[i]);
            if (i == 0 || v.result == CHECK_PASS || (v.result == CHECK_FAIL && ret->result != CHECK_FAIL))
                *ret = v;
            if (v.result == CHECK_PASS)
                break;
        }
}

err sig_hash_fields(struct check_mail *m, const struct head_field *field, const struct dkim_sig *s, enum canon form,
                    unsigned char ret[DKIM_HASH_SIZE])
{
    const struct head_field *f;
    str names = s->h, name;
    if (m->hashed > CHECK_HASHED_MAX)
        return E_LIMIT;
    buf_clear(&m->scratch);
    fields_begin(&m->fields);
    while (tags_item(&names, ':', &name)) {
        do
            f = fields_take(&m->fields, name);
        while (f == field); /* 3.5, h=: never the field that is being verified */
        if (f)
            canon_field(&m->scratch, form, f);
    }
    canon_field_unsigned(&m->scratch, form, field, canon_b_value(field->value));
    m->hashed += m->scratch.n;
    return m->scratch.e ? m->scratch.e : sha256(buf_str(&m->scratch), ret);
}
