/* What filters leave for the message: edits, points, tags; and the message as it is with them. */
#include "policy/internal.h"

err policy_add_edit(struct policy *p, const struct edit *e)
{
    struct edit *x = arena_new(&p->tx, struct edit);
    if (p->nedits >= EDITS_MAX)
        return E_LIMIT;
    if (!edit_is_good(e))
        return E_SYNTAX;
    if (!x)
        return E_NOMEM;
    *x = *e;
    x->next = NULL;
    x->by = p->running;
    x->name = arena_str(&p->tx, e->name);
    x->value = arena_str(&p->tx, e->value);
    if (!x->name.p || !x->value.p)
        return E_NOMEM;
    x->body = e->body ? body_ref(e->body) : NULL;
    *p->last = x;
    p->last = &x->next;
    p->nedits++;
    return OK;
}

void policy_score(struct policy *p, double points, const char *by, str why)
{
    (void)by;
    (void)why;
    p->score += points;
}

bool policy_tag(const struct policy *p, str name, str *ret_value)
{
    bool found = false;
    for (const struct edit *e = p->edits; e; e = e->next)
        if (e->kind == EDIT_TAG && str_ieq(e->name, name)) {
            *ret_value = e->value;
            found = true;
        }
    return found;
}

/* The body that stands in the place of the one received; NULL: none. */
static const struct body *replaced(const struct policy *p)
{
    const struct body *b = NULL;
    for (const struct edit *e = p->edits; e; e = e->next)
        if (e->kind == EDIT_BODY)
            b = e->body;
    return b;
}

/* The octets of `b` from offset `from` on; body_piece walks by pieces of its own. */
static void piece_at(const struct body *b, uint64_t from, str *ret)
{
    size_t at = 0;
    str piece;
    while (body_piece(b, &at, &piece)) {
        if (from < piece.n) {
            *ret = str_skip(piece, (size_t)from);
            return;
        }
        from -= piece.n;
    }
    *ret = S("");
}

err policy_body(struct policy *p, const struct matter *m, uint64_t *at, str *ret)
{
    const struct body *b = p ? replaced(p) : NULL;
    uint64_t body_at = m->scan->head_done ? m->scan->body_at : m->scan->size;
    *ret = S("");
    err e = OK;
    if (b && *at >= body_at) {
        piece_at(b, *at - body_at, ret);
    } else if (!m->octets) {
        return E_NOT_FOUND;
    } else {
        e = m->octets->read(m->octets->arg, *at, ret);
        if (b && *at + ret->n > body_at)
            *ret = str_sub(*ret, 0, (size_t)(body_at - *at));
    }
    *at += ret->n;
    return e;
}
