/* The message: its header, its body in pieces, its end, and the changes that the filter then wants. */
#include "milter/internal.h"
#include "wire/head.h"

static void nothing(struct milter_verdict *v)
{
    v->outcome = MILTER_GO_ON;
    reply_init(&v->reply);
}

/* False: the filter decided about this message, or it failed (*ret). */
static bool asked(struct milter *m, struct milter_verdict *v, err *ret)
{
    nothing(v);
    *ret = m->failed ? E_CLOSED : OK;
    return m->in_tx && !m->failed && !m->over && !m->tx_over;
}

/* ---- header and body ---- */

err milter_head(struct milter *m, str block, struct milter_verdict *v)
{
    struct head_field f;
    err e;
    if (!asked(m, v, &e))
        return e;
    while (!e && !m->tx_over && head_next(&block, &f)) {
        if (!milter_tells(m, STEP_HEADER, &e))
            break;
        str value = f.value;
        milter_header_packet(&m->out, f.name, value, m->l->terms.steps & MILTER_LEADING_SPACE);
        e = milter_ask(m, STEP_HEADER, v);
    }
    if (!e && !m->tx_over && !m->over && milter_tells(m, STEP_EOH, &e)) {
        milter_end(&m->out, milter_begin(&m->out, MILTER_EOH));
        e = milter_ask(m, STEP_EOH, v);
    }
    return e && !m->failed ? milter_fail(m, e, "header", err_text(e)) : e;
}

bool milter_wants_body(const struct milter *m)
{
    return m->in_tx && !m->tx_over && !m->over && !m->failed && m->l && !(m->l->terms.steps & MILTER_NO_BODY) &&
           !(m->skip & 1U << STEP_BODY);
}

/* A piece of the body that has gathered in m->out. */
static err send_piece(struct milter *m, struct milter_verdict *v) YIELDS;
static err send_piece(struct milter *m, struct milter_verdict *v)
{
    milter_end(&m->out, 0);
    return milter_ask(m, STEP_BODY, v);
}

enum { PIECE_HEAD = 5 };

err milter_body(struct milter *m, str octets, struct milter_verdict *v)
{
    err e = OK;
    nothing(v);
    while (octets.n && !e && milter_wants_body(m)) {
        if (m->out.n == 0)
            milter_begin(&m->out, MILTER_BODY);
        str piece = str_sub(octets, 0, PIECE_HEAD + MILTER_BODY_MAX - m->out.n);
        milter_put(&m->out, piece);
        octets = str_skip(octets, piece.n);
        if (m->out.e)
            e = milter_fail(m, m->out.e, "body", err_text(m->out.e));
        else if (m->out.n == PIECE_HEAD + MILTER_BODY_MAX)
            e = send_piece(m, v);
    }
    return e ? e : m->failed ? E_CLOSED : OK;
}

/* ---- the end ---- */

/* A new body as it comes: every line end becomes CRLF, NUL becomes a question mark. */
struct lines {
    struct body *to;
    uint64_t left; /* octets that may still come */
    char last;     /* the octet before, if it was a CR whose LF may follow */
};

static err add_lines(struct lines *l, str s)
{
    if (s.n > l->left)
        return E_LIMIT;
    l->left -= s.n;
    for (size_t i = 0; i < s.n;) {
        if (l->last == '\r' && s.p[i] == '\n') {
            i++;
            l->last = '\n';
            continue;
        }
        size_t n = i;
        while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n' && s.p[n])
            n++;
        err e = n > i ? body_add(l->to, str_sub(s, i, n)) : OK;
        if (n > i)
            l->last = 'x';
        if (!e && n < s.n) {
            l->last = s.p[n] ? s.p[n] : 'x';
            e = body_add(l->to, s.p[n] ? S("\r\n") : S("?"));
            n++;
        }
        if (e)
            return e;
        i = n;
    }
    return OK;
}

struct end { /* what is gathered while the filter answers to the end */
    struct arena *mem;
    struct milter_result *to;
    struct milter_change **last;
    struct lines lines;
    uint64_t left; /* octets of changes but the body */
    unsigned n;
};

static err change(struct end *x, const struct milter_answer *a)
{
    struct milter_change *c = arena_new(x->mem, struct milter_change);
    uint64_t size = a->name.n + a->value.n + sizeof *c;
    if (++x->n > MILTER_CHANGES_MAX || size > x->left)
        return E_LIMIT;
    x->left -= size;
    if (!c)
        return x->mem->e;
    *c = (struct milter_change){
        .said = a->said, .index = a->index, .name = arena_str(x->mem, a->name), .value = arena_str(x->mem, a->value)};
    *x->last = c;
    x->last = &c->next;
    return x->mem->e;
}

static err new_body(struct end *x, str octets)
{
    if (!x->lines.to && !(x->to->body = x->lines.to = body_new()))
        return E_NOMEM;
    return add_lines(&x->lines, octets);
}

static err one(struct milter *m, struct end *x, const struct milter_answer *a)
{
    uint32_t needs = milter_action_of(a->said);
    if (needs && !(needs & m->l->terms.actions))
        return milter_fail(m, E_PROTOCOL, "end of message", "it changes what it did not negotiate");
    switch (a->said) {
    case MILTER_SAID_PROGRESS:
        x->to->progress = true;
        return OK;
    case MILTER_SAID_BODY:
        return new_body(x, a->value);
    case MILTER_SAID_QUARANTINE:
        x->to->quarantine = arena_str(x->mem, a->value);
        return x->mem->e;
    default:
        return change(x, a);
    }
}

/* Changes until an answer that ends them. */
static err gather(struct milter *m, struct end *x, struct milter_verdict *v) YIELDS;
static err gather(struct milter *m, struct end *x, struct milter_verdict *v)
{
    for (;;) {
        struct milter_answer a;
        const char *why;
        char what;
        str data;
        m->l->conn.deadline = milter_deadline(m, m->c->end_time);
        err e = milter_link_read(m->l, &what, &data);
        if (e)
            return e;
        if (!milter_answer_parse(what, data, &a, &why))
            return milter_fail(m, E_PROTOCOL, "end of message", why);
        m->ended = a.said == MILTER_SAID_CONTINUE;
        if (!milter_action_of(a.said) && a.said != MILTER_SAID_PROGRESS)
            return milter_settle(m, STEP_EOM, &a, v)
                       ? OK
                       : milter_fail(m, E_PROTOCOL, "end of message", "this answer may not stand here");
        if ((e = one(m, x, &a)))
            return e;
    }
}

static err finish(struct milter *m, struct end *x, struct milter_verdict *v) YIELDS;
static err finish(struct milter *m, struct end *x, struct milter_verdict *v)
{
    err e = m->out.n ? send_piece(m, v) : OK; /* the rest of the body */
    if (e || m->tx_over || m->over || !milter_tells(m, STEP_EOM, &e))
        return e;
    milter_end(&m->out, milter_begin(&m->out, MILTER_EOM));
    m->l->conn.deadline = milter_deadline(m, m->c->end_time);
    conn_write(&m->l->conn, buf_str(&m->out));
    e = m->out.e ? m->out.e : conn_flush(&m->l->conn);
    buf_clear(&m->out);
    e = e ? e : gather(m, x, v);
    if (!e)
        m->in_tx = false; /* nothing to abort any more */
    if (!e && x->lines.to && x->lines.last && x->lines.last != '\r' && x->lines.last != '\n')
        e = body_add(x->lines.to, S("\r\n"));
    return e;
}

err milter_eom(struct milter *m, struct arena *mem, uint64_t most, struct milter_result *ret, struct milter_verdict *v)
{
    struct end x = {.mem = mem, .to = ret, .last = &ret->changes, .lines = {.left = most}, .left = most};
    err e;
    *ret = (struct milter_result){0};
    if (!asked(m, v, &e))
        return e;
    e = finish(m, &x, v);
    if (e && !m->failed)
        milter_fail(m, e, "waiting for the answer to the end of the message",
                    e == E_LIMIT ? "it changes more than is allowed" : err_text(e));
    if (e || (v->outcome != MILTER_GO_ON && v->outcome != MILTER_TAKE)) {
        body_drop(&ret->body);
        *ret = (struct milter_result){0};
    }
    return e;
}
