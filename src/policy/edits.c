/* What filters leave for the message: edits, points, tags; and the message as it is with them. */
#include "policy/internal.h"

enum { SESSION_TAGS_MAX = 100 };

/* A tag of the session stays until its end; once of each. */
static err tag_session(struct policy *p, const struct edit *e)
{
    struct edit **at = &p->tags;
    uint32_t n = 0;
    for (; *at && !str_ieq((*at)->name, e->name); at = &(*at)->next)
        n++;
    if (n >= SESSION_TAGS_MAX)
        return E_LIMIT;
    struct edit *x = *at ? *at : arena_new(&p->session, struct edit);
    str name = arena_str(&p->session, e->name), value = arena_str(&p->session, e->value);
    if (!x || !name.p || !value.p)
        return E_NOMEM;
    *x = (struct edit){.next = x->next, .kind = EDIT_TAG, .name = name, .value = value, .by = p->running};
    *at = x;
    return OK;
}

err policy_add_edit(struct policy *p, const struct edit *e)
{
    if (p->nedits >= EDITS_MAX)
        return E_LIMIT;
    if (!edit_is_good(e))
        return E_SYNTAX;
    if (p->phase <= PHASE_AUTH)
        return e->kind == EDIT_TAG ? tag_session(p, e) : E_UNSUPPORTED;
    if (p->phase >= PHASE_ROUTE && e->kind != EDIT_TAG) /* it was accepted and is as it is */
        return E_UNSUPPORTED;
    struct edit *x = arena_new(&p->tx, struct edit);
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

void policy_score(struct policy *p, const struct matter *m, double points, const char *by, str why)
{
    char mem[200];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    if (p->phase <= PHASE_AUTH)
        p->session_score[p->phase] += points;
    else
        p->score += points;
    buf_printf(&text, "%+g%s" STR_FMT, points, why.n ? " " : "", STR_ARG(str_sub(why, 0, 160)));
    policy_note(p, m, by, "score", buf_str(&text));
}

double policy_score_now(const struct policy *p)
{
    double sum = p ? p->score : 0;
    for (size_t i = 0; p && i <= PHASE_AUTH; i++)
        sum += p->session_score[i];
    return sum;
}

static bool tag_in(const struct edit *e, str name, str *ret_value)
{
    bool found = false;
    for (; e; e = e->next)
        if (e->kind == EDIT_TAG && str_ieq(e->name, name)) {
            *ret_value = e->value;
            found = true;
        }
    return found;
}

bool policy_tag(const struct policy *p, str name, str *ret_value)
{
    return tag_in(p->edits, name, ret_value) || tag_in(p->tags, name, ret_value);
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
