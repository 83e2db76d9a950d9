/* The next set of an Authenticated Received Chain (RFC 8617 5.1). */
#include "base/cleanup.h"
#include "check/sign.h"
#include "check/signed.h"
#include "wire/authres.h"

enum { SET_MAX = 256 * 1024, SCOPE_MAX = 4 << 20 };

/* ---- what our Authentication-Results said
 * ------------------------------------------------------------------------------- */

static void add_result(struct buf *out, str result, str *ret_arc)
{
    str method, word;
    buf_add(out, S("; "));
    head_unfold(out, result);
    if (!authres_method(result, &method, &word) || !str_ieq(method, S("arc")))
        return;
    *ret_arc = ret_arc->n ? S("fail") : word; /* said twice: it cannot be told what was true */
}

err check_seal_results(str head, str authserv, struct buf *out, str *ret_arc, bool *ret_any)
{
    struct head_field f;
    str id, rest, one;
    size_t start = out->n;
    bool results = false;
    *ret_arc = S("");
    *ret_any = false;
    buf_add(out, authserv);
    while (head_next(&head, &f)) {
        if (!str_ieq(f.name, S("Authentication-Results")) || !authres_id(f.value, &id, &rest) || !str_ieq(id, authserv))
            continue;
        *ret_any = true;
        for (; authres_next(&rest, &one); results = true)
            add_result(out, one, ret_arc);
    }
    if (!results)
        buf_add(out, S("; none"));
    if (out->e)
        out->n = start;
    return out->e;
}

/* ---- the set
 * --------------------------------------------------------------------------------------------------------------- */

static unsigned newest(const struct check_mail *m) { return m->nset ? m->nset : m->arc_last; }

static err results_field(unsigned instance, str results, struct buf *out)
{
    AUTO_BUF value = {.max = SET_MAX};
    buf_printf(&value, "i=%u; ", instance);
    buf_add(&value, results);
    return value.e ? value.e : head_add(out, S("ARC-Authentication-Results"), buf_str(&value));
}

/* The fields that the seal covers, in their order (5.1.1): of all sets, or of a broken chain of this one alone. */
static void scope(struct buf *out, const struct check_mail *m, str aar, str ams, enum arc_cv cv)
{
    struct head_field f;
    for (unsigned i = 1; cv != ARC_CV_FAIL && i <= m->nset; i++)
        arc_scope_set(out, &m->set[i], true);
    if (head_next(&aar, &f))
        canon_field(out, CANON_RELAXED, &f);
    if (head_next(&ams, &f))
        canon_field(out, CANON_RELAXED, &f);
}

static err seal(struct sign_order *o, struct check_mail *m, str head, str results, enum arc_cv cv,
                struct buf *out) YIELDS
{
    AUTO_BUF aar = {.max = SET_MAX}, ams = {.max = SET_MAX}, as = {.max = SET_MAX};
    AUTO_BUF whole = {.max = (size_t)SET_MAX + head.n}, data = {.max = SCOPE_MAX};
    const struct body_stream *body = &m->body.form[o->body];
    if (!o->body_hash && (!body->md || body->bad))
        return E_NOMEM;
    err e = results_field(o->instance, results, &aar);
    buf_add(&whole, buf_str(&aar));
    buf_add(&whole, head);
    o->kind = ARC_MESSAGE_SIGNATURE;
    e = e ? e : whole.e;
    e = e ? e : check_sign(o, buf_str(&whole), o->body_hash ? o->body_hash : body->hash, &ams);
    o->kind = ARC_SEAL;
    scope(&data, m, buf_str(&aar), buf_str(&ams), cv);
    e = e ? e : seal_write(o, cv, &data, &as);
    if (e)
        return e;
    buf_add(out, buf_str(&as));
    buf_add(out, buf_str(&ams));
    buf_add(out, buf_str(&aar));
    return out->e;
}

err check_seal(struct sign_order *o, struct check_mail *m, str head, str results, enum arc_cv cv, struct buf *out,
               bool *ret_sealed)
{
    *ret_sealed = false;
    if (m->too_many || m->arc_sealed_fail || newest(m) >= DKIM_INSTANCE_MAX)
        return OK;
    o->instance = newest(m) + 1;
    if (!newest(m) && !m->arc_why.n)
        cv = ARC_CV_NONE;
    else if (m->arc_why.n || cv == ARC_CV_NONE)
        cv = ARC_CV_FAIL;
    err e = seal(o, m, head, results, cv, out);
    *ret_sealed = !e;
    return e;
}
