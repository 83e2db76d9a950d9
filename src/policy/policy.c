/* A session in the pipeline: who is asked in which phase, and what their verdicts add up to. */
#include "policy/client.h"
#include "policy/internal.h"
#include "policy/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- names ------------------------------------------------------------------------------------------------ */

static const char *const phases[] = {
#define PHASE(NAME, name, ...) name,
#include "policy/phases.def"
#undef PHASE
};

const char *phase_name(enum phase p) { return phases[p]; }

bool phase_find(str name, enum phase *ret)
{
    for (int p = 0; p < PHASE_COUNT; p++)
        if (str_ieq(name, str_c(phases[p]))) {
            *ret = (enum phase)p;
            return true;
        }
    return false;
}

const char *verdict_name(enum verdict_kind k)
{
    static const char *const names[] = {"continue", "accept",     "refuse", "defer",
                                        "discard",  "quarantine", "hold",   "redirect"};
    return names[k];
}

void verdict_reply(struct verdict *v, int code, const char *esc, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->kind = code >= 500 ? VERDICT_REFUSE : VERDICT_DEFER;
    reply_set_str(&v->reply, code, esc, str_sub(str_mem(text, sizeof text - 1), 0, n > 0 ? (size_t)n : 0));
}

/* ---- a session's life --------------------------------------------------------------------------------------- */

static unsigned wanted(const struct filter *f, const struct source *s, const struct conf *c)
{
    return f->wants ? f->wants(s, c) & f->phases : f->phases;
}

struct policy *policy_bare(void)
{
    struct policy *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    arena_init(&p->tx, TX_MEM_CHUNK, TX_MEM_MAX);
    arena_init(&p->session, TX_MEM_CHUNK, SESSION_MEM_MAX);
    verdict_init(&p->outcome);
    p->last = &p->edits;
    return p;
}

err policy_begin(struct policy **ret, const struct source *s, const struct conf *c)
{
    struct policy *p = *ret;
    const unsigned late = PHASE_BIT(PHASE_HEADER) | PHASE_BIT(PHASE_BODY) | PHASE_BIT(PHASE_END);
    unsigned want[FILTERS_MAX] = {0}, all = 0;
    unsigned change = 0;
    bool points = false;
    for (size_t i = 0; filters[i].name; i++) { /* a follower stands behind those that it follows */
        if (filters[i].follower && !points)
            continue;
        want[i] = wanted(&filters[i], s, c) | (p ? p->also[i] : 0);
        all |= want[i];
        points |= want[i] && filters[i].points && filters[i].points(s, c);
        if (want[i] && filters[i].may_change)
            change |= late & want[i] & (filters[i].changes ? filters[i].changes(s, c) | (p ? p->also[i] : 0) : ~0u);
    }
    if (!p && !all)
        return OK;
    if (!p && !(p = *ret = policy_bare()))
        return E_NOMEM;
    memcpy(p->wants, want, sizeof want);
    p->phases = all;
    p->may_change = change != 0;
    return OK;
}

static void drop_edits(struct policy *p)
{
    for (struct edit *e = p->edits; e; e = e->next)
        body_drop(&e->body);
    p->edits = NULL;
    p->last = &p->edits;
    p->nedits = 0;
}

void policy_tx_end(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; filters[i].name; i++)
        if (filters[i].tx_end && p->own[i])
            filters[i].tx_end(p, &p->own[i]);
    drop_edits(p);
    content_end(&p->content);
    verdict_init(&p->outcome);
    p->tx_lifted = p->short_of_memory = false;
    p->score = 0;
    p->announced = 0;
    p->rcpts = 0;
    p->notes = NULL;
    limits_release(&p->holds);
    arena_reset(&p->tx);
}

void policy_free(struct policy **pp)
{
    struct policy *p = *pp;
    if (!p)
        return;
    policy_tx_end(p);
    for (size_t i = 0; filters[i].name; i++)
        if (filters[i].session_end && p->own[i])
            filters[i].session_end(p, &p->own[i]);
    limits_release(&p->session_holds);
    client_drop(&p->client);
    arena_free(&p->tx);
    arena_free(&p->session);
    free(p);
    *pp = NULL;
}

bool policy_wants(const struct policy *p, enum phase ph) { return p && p->phases & PHASE_BIT(ph); }
bool policy_may_change(const struct policy *p)
{
    if (!p || p->may_change)
        return p != NULL;
    for (const struct edit *e = p->edits; e; e = e->next)
        if (e->kind != EDIT_TAG)
            return true;
    return p->outcome.kind != VERDICT_CONTINUE || p->outcome.to.n;
}
const struct verdict *policy_outcome(const struct policy *p)
{
    static const struct verdict none = {.to = {"", 0}, .why = {"", 0}};
    return p ? &p->outcome : &none;
}
const struct edit *policy_edits(const struct policy *p) { return p ? p->edits : NULL; }
struct arena *policy_mem(struct policy *p) { return &p->tx; }
struct arena *policy_session_mem(struct policy *p) { return &p->session; }

void policy_listen(struct policy *p, void (*fn)(void *arg, enum phase ph, const char *by, const char *what, str text),
                   void *arg)
{
    p->hear = fn;
    p->hear_arg = arg;
}

void **policy_own(struct policy *p, const char *filter)
{
    for (size_t i = 0; filters[i].name; i++)
        if (!strcmp(filters[i].name, filter))
            return &p->own[i];
    return NULL;
}

/* ---- a phase ------------------------------------------------------------------------------------------------- */

static bool of_session(enum phase ph) { return ph <= PHASE_AUTH; }

/* Takes up one filter's verdict. True: the phase ends here. */
static bool settled(struct policy *p, enum phase ph, struct verdict *v)
{
    bool here = (ph == PHASE_RCPT && !v->whole) || ph >= PHASE_ROUTE; /* it is about one recipient */
    switch (v->kind) {
    case VERDICT_CONTINUE:
        return false;
    case VERDICT_ACCEPT:
        p->lifted |= of_session(ph);
        p->tx_lifted |= !of_session(ph) && ph != PHASE_RCPT;
        return true;
    case VERDICT_REFUSE:
    case VERDICT_DEFER:
        return true;
    case VERDICT_DISCARD:
        if (!here) {
            p->outcome = *v;
            p->tx_lifted = true; /* nothing more is to be known of it */
            v->kind = VERDICT_CONTINUE;
        }
        return true;
    case VERDICT_QUARANTINE:
    case VERDICT_HOLD:
        if (p->outcome.kind != VERDICT_QUARANTINE) { /* the stronger, and of equals the first */
            v->to = p->outcome.to;
            p->outcome = *v;
        }
        return false;
    case VERDICT_REDIRECT:
        if (here)
            return true;
        p->outcome.to = v->to;
        return false;
    }
    return false;
}

/* A refusal needs a reply that is one. */
static void complete(struct verdict *v)
{
    if (v->kind == VERDICT_REFUSE && v->reply.code < 500)
        verdict_reply(v, 550, "5.7.1", "Refused by policy");
    else if (v->kind == VERDICT_DEFER && (v->reply.code < 400 || v->reply.code >= 500))
        verdict_reply(v, 450, "4.7.1", "Refused by policy for now, try again later");
}

static void note(struct policy *p, const struct matter *m, const struct verdict *v)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    if (v->kind == VERDICT_CONTINUE)
        return;
    if (v->kind == VERDICT_REDIRECT)
        buf_add(&text, v->to);
    else if (v->reply.code && (v->kind == VERDICT_REFUSE || v->kind == VERDICT_DEFER))
        reply_print_line(&text, &v->reply);
    if (v->why.n)
        buf_printf(&text, "%s" STR_FMT, text.n ? ": " : "", STR_ARG(str_sub(v->why, 0, 200)));
    policy_note(p, m, v->by, verdict_name(v->kind), buf_str(&text));
}

bool policy_take(struct policy *p, enum phase ph, const struct matter *m, struct verdict *v)
{
    complete(v);
    note(p, m, v);
    return settled(p, ph, v);
}

/* What the pipeline itself remembers of a phase. */
static void begin(struct policy *p, enum phase ph, const struct matter *m)
{
    p->phase = ph;
    if (ph == PHASE_MAIL && m->mail)
        p->announced = m->mail->p.size;
    if (ph == PHASE_RCPT)
        p->rcpts++;
    if (of_session(ph))
        p->session_score[ph] = 0; /* asked anew: EHLO may be said again */
}

static bool ask_all(struct policy *p, enum phase ph, struct matter *m, struct verdict *v) YIELDS
{
    for (size_t i = 0; filters[i].name; i++) {
        if (!(p->wants[i] & PHASE_BIT(ph)))
            continue;
        verdict_init(v);
        p->phase = ph;
        p->running = filters[i].name;
        if (!filters[i].run(p, &p->own[i], ph, m, v))
            return false;
        if (!v->by)
            v->by = filters[i].name;
        if (policy_take(p, ph, m, v))
            return true;
    }
    verdict_init(v);
    return true;
}

bool policy_judge(struct policy *p, enum phase ph, struct matter *m, struct verdict *v)
{
    verdict_init(v);
    if (!policy_wants(p, ph) || p->lifted || p->tx_lifted)
        return true;
    begin(p, ph, m);
    bool ok = ask_all(p, ph, m, v);
    if (ph == PHASE_RCPT && (!ok || v->kind == VERDICT_REFUSE || v->kind == VERDICT_DEFER))
        p->rcpts--;
    return ok;
}
