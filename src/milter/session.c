/* A session with one filter: the callbacks of session and envelope, and what the answers mean. */
#include "milter/internal.h"

#include <stdlib.h>

const struct milter_callback milter_steps[STEP_COUNT] = {
    [STEP_CONNECT] = {MILTER_CONNECT, MILTER_NO_CONNECT, MILTER_NR_CONNECT, MILTER_AT_CONNECT, 2, "connect"},
    [STEP_HELO] = {MILTER_HELO, MILTER_NO_HELO, MILTER_NR_HELO, MILTER_AT_HELO, 2, "HELO"},
    [STEP_MAIL] = {MILTER_MAIL, MILTER_NO_MAIL, MILTER_NR_MAIL, MILTER_AT_MAIL, 2, "MAIL"},
    [STEP_RCPT] = {MILTER_RCPT, MILTER_NO_RCPT, MILTER_NR_RCPT, MILTER_AT_RCPT, 2, "RCPT"},
    [STEP_DATA] = {MILTER_DATA, MILTER_NO_DATA, MILTER_NR_DATA, MILTER_AT_DATA, 4, "DATA"},
    [STEP_UNKNOWN] = {MILTER_UNKNOWN, MILTER_NO_UNKNOWN, MILTER_NR_UNKNOWN, -1, 3, "an unknown command"},
    [STEP_HEADER] = {MILTER_HEADER, MILTER_NO_HEADERS, MILTER_NR_HEADER, -1, 2, "a header field"},
    [STEP_EOH] = {MILTER_EOH, MILTER_NO_EOH, MILTER_NR_EOH, MILTER_AT_EOH, 2, "the end of the header"},
    [STEP_BODY] = {MILTER_BODY, MILTER_NO_BODY, MILTER_NR_BODY, -1, 2, "a piece of the body"},
    [STEP_EOM] = {MILTER_EOM, 0, 0, MILTER_AT_EOM, 2, "the end of the message"},
};

enum { SESSION_MEM = 64 * 1024 };

struct milter *milter_new(const struct conf_milter *c, milter_macro_fn *macro, void *arg)
{
    struct milter *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->c = c;
    m->macro = macro;
    m->arg = arg;
    m->until = RT_NEVER;
    arena_init(&m->mem, 256, SESSION_MEM);
    buf_init(&m->out, MILTER_ANSWER_MAX);
    return m;
}

void milter_free(struct milter **p)
{
    struct milter *m = *p;
    *p = NULL;
    if (!m)
        return;
    milter_abort(m);
    milter_link_keep(&m->l, m->c, m->ended);
    buf_free(&m->out);
    arena_free(&m->mem);
    free(m);
}

const struct conf_milter *milter_conf(const struct milter *m) { return m->c; }
str milter_why(const struct milter *m) { return str_mem(m->why, m->nwhy); }
bool milter_failed(const struct milter *m) { return m->failed; }
bool milter_leading_space(const struct milter *m) { return m->l && m->l->terms.steps & MILTER_LEADING_SPACE; }

/* ---- answers ---- */

err milter_fail(struct milter *m, err e, const char *doing, const char *why)
{
    struct buf b;
    buf_init_fixed(&b, m->why, sizeof m->why);
    buf_printf(&b, "%s%s%s", doing, *doing && *why ? ": " : "", why);
    m->nwhy = b.n;
    milter_link_drop(&m->l);
    m->failed = true;
    m->told = m->in_tx = m->ended = false;
    return e;
}

static void refuse(struct milter_verdict *v, int code, const char *esc, const char *text)
{
    v->outcome = code == 421 ? MILTER_CLOSE : MILTER_REFUSE;
    reply_set_str(&v->reply, code, esc, str_c(text));
}

/* False: the answer decides nothing, or may not stand here. */
static bool decision(const struct milter_answer *a, struct milter_verdict *v)
{
    switch (a->said) {
    case MILTER_SAID_ACCEPT:
        v->outcome = MILTER_TAKE;
        return true;
    case MILTER_SAID_DISCARD:
        v->outcome = MILTER_DISCARD;
        return true;
    case MILTER_SAID_REJECT:
        refuse(v, 550, "5.7.1", "Refused by a filter");
        return true;
    case MILTER_SAID_TEMPFAIL:
        refuse(v, 451, "4.7.1", "Put off by a filter, try again later");
        return true;
    case MILTER_SAID_SHUTDOWN:
    case MILTER_SAID_FAIL:
        refuse(v, 421, "4.7.0", "Closed by a filter");
        return true;
    case MILTER_SAID_REPLY:
        v->outcome = MILTER_REFUSE;
        if (!milter_reply(a->value, &v->reply))
            return false;
        if (v->reply.code == 421)
            v->outcome = MILTER_CLOSE;
        return true;
    default:
        return false;
    }
}

bool milter_settle(struct milter *m, enum step_kind s, const struct milter_answer *a, struct milter_verdict *v)
{
    bool of_session = s == STEP_CONNECT || s == STEP_HELO;
    if (a->said == MILTER_SAID_CONTINUE)
        return true;
    if (a->said == MILTER_SAID_SKIP) {
        m->skip |= 1U << s;
        return s >= STEP_MAIL && s != STEP_EOM;
    }
    if (!decision(a, v) || (v->outcome == MILTER_DISCARD && (of_session || s == STEP_UNKNOWN)))
        return false;
    if (v->outcome == MILTER_CLOSE || of_session) {
        m->over = true;
        m->held = *v;
        if (v->outcome == MILTER_TAKE)
            m->held.outcome = MILTER_GO_ON;
    } else if (s != STEP_UNKNOWN && !(s == STEP_RCPT && v->outcome == MILTER_REFUSE)) {
        m->tx_over = true; /* a refused recipient leaves the message open */
    }
    return true;
}

rt_time milter_deadline(const struct milter *m, rt_time span)
{
    rt_time at = rt_after(span);
    return at < m->until ? at : m->until;
}

bool milter_tells(struct milter *m, enum step_kind s, err *ret)
{
    const struct milter_callback *t = &milter_steps[s];
    *ret = OK;
    if (m->over || m->failed || !m->l || m->l->terms.version < t->since || m->skip & 1U << s)
        return false;
    if (t->at >= 0) { /* also when it does not want the step itself: it may use them later */
        buf_clear(&m->out);
        milter_macros(&m->out, t->cmd, (enum milter_stage)t->at, &m->l->terms, m->macro, m->arg);
        m->l->conn.deadline = milter_deadline(m, m->c->time);
        conn_write(&m->l->conn, buf_str(&m->out));
        *ret = m->out.e ? m->out.e : m->l->conn.e;
        buf_clear(&m->out);
    }
    return !*ret && !(m->l->terms.steps & t->unwanted);
}

static err hear(struct milter *m, enum step_kind s, struct milter_verdict *v) YIELDS;
static err hear(struct milter *m, enum step_kind s, struct milter_verdict *v)
{
    const char *why;
    struct milter_answer a;
    do {
        char what;
        str data;
        err e = milter_link_read(m->l, &what, &data);
        if (e)
            return e;
        if (!milter_answer_parse(what, data, &a, &why))
            return milter_fail(m, E_PROTOCOL, milter_steps[s].name, why);
        m->l->conn.deadline = milter_deadline(m, m->c->time);
    } while (a.said == MILTER_SAID_PROGRESS);
    return milter_settle(m, s, &a, v)
               ? OK
               : milter_fail(m, E_PROTOCOL, milter_steps[s].name, "this answer may not stand here");
}

err milter_ask(struct milter *m, enum step_kind s, struct milter_verdict *v)
{
    struct conn *c = &m->l->conn;
    bool silent = m->l->terms.steps & milter_steps[s].silent;
    m->ended = false;
    c->deadline = milter_deadline(m, m->c->time);
    conn_write(c, buf_str(&m->out));
    err e = m->out.e ? m->out.e : silent && s == STEP_HEADER ? c->e : conn_flush(c);
    buf_clear(&m->out);
    if (!e && !silent)
        e = hear(m, s, v);
    if (!e || m->failed)
        return e;
    SCRATCH char doing[64];
    struct buf b;
    buf_init_fixed(&b, doing, sizeof doing);
    buf_printf(&b, "waiting for the answer to %s", milter_steps[s].name);
    buf_add_char(&b, 0);
    return milter_fail(m, e, doing, err_text(e));
}

static void nothing(struct milter_verdict *v)
{
    v->outcome = MILTER_GO_ON;
    reply_init(&v->reply);
}

/* What a filter that is asked no more says: what it said. */
static bool settled(const struct milter *m, struct milter_verdict *v)
{
    nothing(v);
    if (m->over && m->held.outcome != MILTER_GO_ON)
        *v = m->held;
    return m->over || m->failed;
}

/* ---- the session ---- */

static str keep(struct milter *m, str s) { return s.n ? arena_str(&m->mem, s) : S(""); }

static void put_connect(struct milter *m)
{
    SCRATCH char mem[IP_TEXT_MAX + 3], name[IP_TEXT_MAX + 3];
    struct buf text, bracketed;
    const struct ip *ip = &m->who.client.ip;
    buf_init_fixed(&text, mem, sizeof mem);
    buf_init_fixed(&bracketed, name, sizeof name);
    if (!ip->v) {
        milter_connect_packet(&m->out, m->who.name.n ? m->who.name : S("localhost"), MILTER_FAMILY_4, 0,
                              S("127.0.0.1"));
        return;
    }
    ip_print(&text, ip);
    buf_printf(&bracketed, "[" STR_FMT "]", STR_ARG(buf_str(&text)));
    milter_connect_packet(&m->out, m->who.name.n ? m->who.name : buf_str(&bracketed),
                          ip->v == 4 ? MILTER_FAMILY_4 : MILTER_FAMILY_6, m->who.client.port, buf_str(&text));
}

/* A connection, and who connects told on it. One that was kept may have ended meanwhile: once more, with a new one. */
static err begin(struct milter *m, struct milter_verdict *v) YIELDS;
static err begin(struct milter *m, struct milter_verdict *v)
{
    err e = OK;
    for (int fresh = 0; fresh < 2; fresh++) {
        struct buf why;
        m->failed = false;
        buf_init_fixed(&why, m->why, sizeof m->why);
        e = milter_link_get(&m->l, m->c, fresh, &why);
        m->nwhy = why.n;
        if (e) {
            m->failed = true;
            return e;
        }
        bool used = m->l->used;
        if (milter_tells(m, STEP_CONNECT, &e)) {
            put_connect(m);
            e = milter_ask(m, STEP_CONNECT, v);
        } else if (e) {
            milter_fail(m, e, "connect", err_text(e));
        }
        if (!e || !used || (e != E_CLOSED && e != E_RESET))
            break;
    }
    m->told = !e;
    return e;
}

err milter_connect(struct milter *m, const struct milter_who *w, struct milter_verdict *v)
{
    milter_abort(m);
    milter_link_keep(&m->l, m->c, m->ended);
    arena_reset(&m->mem);
    m->over = m->failed = m->told = false;
    m->held = (struct milter_verdict){0};
    m->helo = (str){0};
    m->who = (struct milter_who){.name = keep(m, w->name), .client = w->client};
    nothing(v);
    return begin(m, v);
}

static err tell_helo(struct milter *m, struct milter_verdict *v) YIELDS;
static err tell_helo(struct milter *m, struct milter_verdict *v)
{
    err e;
    if (!milter_tells(m, STEP_HELO, &e))
        return e ? milter_fail(m, e, "HELO", err_text(e)) : OK;
    size_t at = milter_begin(&m->out, MILTER_HELO);
    milter_put_z(&m->out, m->helo);
    milter_end(&m->out, at);
    return milter_ask(m, STEP_HELO, v);
}

err milter_helo(struct milter *m, str name, struct milter_verdict *v)
{
    if (!str_eq(m->helo, name) || !m->helo.p)
        m->helo = arena_str(&m->mem, name);
    if (settled(m, v))
        return m->failed ? E_CLOSED : OK;
    if (!m->helo.p)
        return milter_fail(m, E_NOMEM, "HELO", err_text(E_NOMEM));
    return tell_helo(m, v);
}

err milter_unknown(struct milter *m, str line, struct milter_verdict *v)
{
    err e;
    if (settled(m, v))
        return m->failed ? E_CLOSED : OK;
    if (!milter_tells(m, STEP_UNKNOWN, &e))
        return e;
    size_t at = milter_begin(&m->out, MILTER_UNKNOWN);
    milter_put_z(&m->out, line);
    milter_end(&m->out, at);
    return milter_ask(m, STEP_UNKNOWN, v);
}

/* ---- the envelope ---- */

static err envelope(struct milter *m, enum step_kind s, str address, str params, struct milter_verdict *v) YIELDS;
static err envelope(struct milter *m, enum step_kind s, str address, str params, struct milter_verdict *v)
{
    err e;
    m->in_tx = true;
    if (!milter_tells(m, s, &e))
        return e ? milter_fail(m, e, milter_steps[s].name, err_text(e)) : OK;
    milter_envelope_packet(&m->out, milter_steps[s].cmd, address, params);
    return milter_ask(m, s, v);
}

err milter_mail(struct milter *m, str address, str params, struct milter_verdict *v)
{
    milter_abort(m);
    m->failed = m->tx_over = false;
    m->skip = 0;
    m->until = rt_after(m->c->whole_time);
    if (settled(m, v))
        return OK;
    bool told = m->told;
    err e = told ? OK : begin(m, v);
    if (!e && !told && v->outcome == MILTER_GO_ON && m->helo.p)
        e = tell_helo(m, v);
    return e || m->over ? e : envelope(m, STEP_MAIL, address, params, v);
}

static bool idle(const struct milter *m) { return m->tx_over || !m->in_tx; }

err milter_rcpt(struct milter *m, str address, str params, struct milter_verdict *v)
{
    if (settled(m, v) || idle(m))
        return m->failed ? E_CLOSED : OK;
    return envelope(m, STEP_RCPT, address, params, v);
}

err milter_rcpt_refused(struct milter *m, str address, str params)
{
    SCRATCH struct milter_verdict v;
    if (settled(m, &v) || idle(m) || !(m->l->terms.steps & MILTER_RCPT_REJECTED))
        return m->failed ? E_CLOSED : OK;
    return envelope(m, STEP_RCPT, address, params, &v);
}

err milter_data(struct milter *m, struct milter_verdict *v)
{
    err e;
    if (settled(m, v) || idle(m))
        return m->failed ? E_CLOSED : OK;
    if (!milter_tells(m, STEP_DATA, &e))
        return e ? milter_fail(m, e, "DATA", err_text(e)) : OK;
    milter_end(&m->out, milter_begin(&m->out, MILTER_DATA));
    return milter_ask(m, STEP_DATA, v);
}

void milter_abort(struct milter *m)
{
    if (m->in_tx && m->l && !m->failed) {
        m->ended = false;
        buf_clear(&m->out);
        milter_end(&m->out, milter_begin(&m->out, MILTER_ABORT));
        m->l->conn.deadline = rt_after(m->c->time);
        conn_write(&m->l->conn, buf_str(&m->out));
        if (m->out.e || conn_flush(&m->l->conn) != OK)
            milter_fail(m, E_CLOSED, "abort", "the connection is lost");
    }
    buf_clear(&m->out);
    m->in_tx = false;
    m->tx_over = false;
    m->until = RT_NEVER;
}
