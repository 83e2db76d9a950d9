/*
 * Milters in the pipeline: each session has those of its listener, in order. Session and envelope are told as they
 * come; the message at its end, so that each filter sees what those before it made of it. A filter that fails in
 * connect or HELO is tried again at MAIL; from then on its key `fail` says what becomes of the mail.
 */
#include "policy/use_milter.h"
#include "base/cleanup.h"
#include "policy/rules.h"

#include <stdlib.h>

enum { MEM_MAX = 64 * 1024 };
static const unsigned all_phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_HELO) | PHASE_BIT(PHASE_MAIL) |
                                   PHASE_BIT(PHASE_RCPT) | PHASE_BIT(PHASE_DATA) | PHASE_BIT(PHASE_END);

static const struct conf_milters *filters_of(const struct source *s, const struct conf *c)
{
    for (size_t i = 0; i < c->nlisteners && !s->socket; i++)
        if (str_eq(c->listeners[i].title, s->listener))
            return &c->listeners[i].filters;
    return s->socket ? &c->local_filters : &c->filters;
}

unsigned use_milter_wants(const struct source *s, const struct conf *c) { return filters_of(s, c)->n ? all_phases : 0; }

/* ---- which filters --------------------------------------------------------------------------------------- */

static bool add(struct use_milters *u, const struct conf_milter *c)
{
    if (u->n == MILTERS_MAX)
        return true;
    struct use_milter *x = &u->v[u->n];
    x->c = c;
    x->by = arena_printf(&u->mem, "milter " STR_FMT, STR_ARG(str_sub(c->title, 0, 100))).p;
    x->breaker = breaker_of("milter", c->title);
    x->m = milter_new(c, use_milter_macro, u);
    u->n += x->m != NULL;
    return x->m && x->by;
}

static void leave(struct use_milter *x, bool ok, const char *why)
{
    if (x->asking)
        breaker_leave(x->breaker, ok, (uint32_t)x->c->failures, x->c->pause, why);
    x->asking = false;
}

static void cancel(struct use_milter *x)
{
    if (x->asking)
        breaker_cancel(x->breaker);
    x->asking = false;
}

static bool enter(struct use_milter *x)
{
    if (!x->asking && !breaker_enter(x->breaker))
        return false;
    return x->asking = true;
}

static void forget(struct use_milters **p) YIELDS;
static void forget(struct use_milters **p)
{
    struct use_milters *u = *p;
    *p = NULL;
    if (!u)
        return;
    for (size_t i = 0; i < u->n; i++) {
        milter_free(&u->v[i].m);
        cancel(&u->v[i]);
    }
    conf_drop(&u->conf);
    arena_free(&u->mem);
    free(u);
}

static struct use_milters *make(const struct conf *c)
{
    struct use_milters *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->conf = conf_ref((struct conf *)(uintptr_t)c);
    arena_init(&u->mem, 512, MEM_MAX);
    buf_init_fixed(&u->text, u->room, sizeof u->room);
    return u;
}

static bool has(const struct use_milters *u, const struct conf_milter *c)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->v[i].c == c || str_eq(u->v[i].c->title, c->title))
            return true;
    return false;
}

/* The session's filters, made at its first phase: those of the generation that is then in force. */
static struct use_milters *of_session(void **own, const struct matter *m)
{
    struct use_milters *u = *own;
    if (!u)
        *own = u = make(m->conf);
    if (!u || u->listed)
        return u;
    const struct conf_milters *list = filters_of(m->source, u->conf);
    for (size_t i = 0; i < list->n; i++)
        if (!has(u, list->v[i]) && !add(u, list->v[i]))
            return NULL;
    u->listed = true;
    return u;
}

/* ---- what they say --------------------------------------------------------------------------------------- */

bool use_milter_settled(struct use_milter *x, const struct milter_verdict *said, struct verdict *v)
{
    v->by = x->by;
    switch (said->outcome) {
    case MILTER_GO_ON:
    case MILTER_TAKE:
        return true;
    case MILTER_DISCARD:
        v->kind = VERDICT_DISCARD;
        v->whole = true;
        return false;
    case MILTER_REFUSE:
    case MILTER_CLOSE:
        v->kind = said->reply.code >= 500 ? VERDICT_REFUSE : VERDICT_DEFER;
        v->reply = said->reply;
        return false;
    }
    return true;
}

static bool by_policy(const struct use_milter *x, struct verdict *v)
{
    v->by = x->by;
    if (x->c->fail == CONF_MILTER_ACCEPT)
        return true;
    if (x->c->fail == CONF_MILTER_REFUSE)
        verdict_reply(v, 554, "5.3.0", "A filter of this server does not work, mail is not taken");
    else
        verdict_reply(v, 451, "4.3.0", "A filter of this server does not answer, try again later");
    return false;
}

bool use_milter_failed(struct policy *p, struct use_milters *u, struct use_milter *x, err e, struct verdict *v)
{
    char why[256];
    (void)p;
    if (x->asking && e != E_CANCELLED) { /* said once: then it is silent until the next MAIL */
        str_to_c(str_sub(milter_why(x->m), 0, sizeof why - 1), why, sizeof why);
        rt_log(EV_milter_failed, log_num((int64_t)u->about->source->session), log_str(x->c->title),
               log_str(milter_why(x->m)),
               log_c(x->c->fail == CONF_MILTER_ACCEPT   ? "accept"
                     : x->c->fail == CONF_MILTER_REFUSE ? "refuse"
                                                        : "defer"));
        leave(x, false, why);
    }
    cancel(x);
    x->unasked = true;
    return by_policy(x, v);
}

/* ---- the session ------------------------------------------------------------------------------------------- */

/* The confirmed name of the client, before MAIL looks it up: filters hear it when it connects. */
static void look_up(struct use_milters *u, const struct source *s) YIELDS;
static void look_up(struct use_milters *u, const struct source *s)
{
    struct sockaddr_storage at;
    u->client = s->client;
    u->name = s->client_name.n ? arena_str(&u->mem, s->client_name) : S("");
    if (u->name.n || s->socket || !s->client.ip.v || conf_nets_has(&u->conf->limit_exempt, &s->client.ip))
        return;
    if (ip_to_sockaddr(&s->client, &at))
        (void)dns_reverse(&at, &u->mem, &u->name);
}

/* Tells one filter who connects; what goes wrong is found out again at MAIL. */
static bool meet(struct use_milters *u, struct use_milter *x, struct verdict *v) YIELDS;
static bool meet(struct use_milters *u, struct use_milter *x, struct verdict *v)
{
    SCRATCH struct milter_verdict said;
    const struct milter_who who = {.name = u->name, .client = u->client};
    x->met = true;
    if (!enter(x))
        return true;
    err e = milter_connect(x->m, &who, &said);
    if (e)
        cancel(x); /* MAIL asks again, and that counts */
    else
        leave(x, true, "");
    return e || use_milter_settled(x, &said, v);
}

static bool greet(struct use_milters *u, struct use_milter *x, struct verdict *v) YIELDS;
static bool greet(struct use_milters *u, struct use_milter *x, struct verdict *v)
{
    SCRATCH struct milter_verdict said;
    return milter_helo(x->m, u->helo, &said) != OK || use_milter_settled(x, &said, v);
}

/* Who is it now? After XCLIENT or a late beginning filters hear of another one. */
static bool catch_up(struct use_milters *u, const struct source *s, struct verdict *v) YIELDS;
static bool catch_up(struct use_milters *u, const struct source *s, struct verdict *v)
{
    bool other = !u->looked_up || memcmp(&u->client, &s->client, sizeof u->client) != 0;
    if (other) {
        look_up(u, s);
        u->looked_up = true;
    }
    for (size_t i = 0; i < u->n; i++)
        if ((other || !u->v[i].met) && !meet(u, &u->v[i], v))
            return false;
    return true;
}

static bool hello(struct use_milters *u, const struct source *s, struct verdict *v) YIELDS;
static bool hello(struct use_milters *u, const struct source *s, struct verdict *v)
{
    u->helo = s->helo.n ? arena_str(&u->mem, s->helo) : S("");
    for (size_t i = 0; i < u->n && u->helo.n; i++)
        if (!greet(u, &u->v[i], v))
            return false;
    return true;
}

/* ---- the envelope ------------------------------------------------------------------------------------------ */

static str bracketed(const struct addr *a, char *mem, size_t size, str *ret_bare)
{
    struct buf b;
    buf_init_fixed(&b, mem, size);
    buf_add_char(&b, '<');
    addr_print(&b, a);
    buf_add_char(&b, '>');
    *ret_bare = b.e ? S("") : str_sub(buf_str(&b), 1, b.n - 1);
    return b.e ? S("<>") : buf_str(&b);
}

static bool one_mail(struct use_milters *u, struct use_milter *x, struct matter *m, struct verdict *v) YIELDS;
static bool one_mail(struct use_milters *u, struct use_milter *x, struct matter *m, struct verdict *v)
{
    SCRATCH char mem[ADDR_TEXT_MAX + 2];
    SCRATCH struct milter_verdict said;
    str bare, address = bracketed(&m->mail->from, mem, sizeof mem, &bare);
    x->unasked = x->closed = false;
    if (!enter(x)) {
        x->unasked = x->closed = true;
        return by_policy(x, v);
    }
    rt_time begun = rt_now();
    err e = milter_mail(x->m, address, m->mail->p.raw, &said);
    breaker_took(x->breaker, begun);
    return e ? use_milter_failed(u->about->source->policy, u, x, e, v) : use_milter_settled(x, &said, v);
}

static bool one_rcpt(struct use_milters *u, struct use_milter *x, struct matter *m, struct verdict *v) YIELDS;
static bool one_rcpt(struct use_milters *u, struct use_milter *x, struct matter *m, struct verdict *v)
{
    SCRATCH char mem[ADDR_TEXT_MAX + 2];
    SCRATCH struct milter_verdict said;
    str address = bracketed(&m->rcpt->to, mem, sizeof mem, &u->rcpt);
    rt_time begun = rt_now();
    err e = milter_rcpt(x->m, address, m->rcpt->p.raw, &said);
    breaker_took(x->breaker, begun);
    u->rcpt = S("");
    return e ? use_milter_failed(u->about->source->policy, u, x, e, v) : use_milter_settled(x, &said, v);
}

static bool one_data(struct use_milters *u, struct use_milter *x, struct verdict *v) YIELDS;
static bool one_data(struct use_milters *u, struct use_milter *x, struct verdict *v)
{
    SCRATCH struct milter_verdict said;
    rt_time begun = rt_now();
    err e = milter_data(x->m, &said);
    breaker_took(x->breaker, begun);
    return e ? use_milter_failed(u->about->source->policy, u, x, e, v) : use_milter_settled(x, &said, v);
}

/* ---- the filter of the pipeline ------------------------------------------------------------------------------ */

/* False: no memory. */
static bool each(struct policy *p, struct use_milters *u, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
static bool each(struct policy *p, struct use_milters *u, enum phase ph, struct matter *m, struct verdict *v)
{
    bool ok = true;
    for (size_t i = 0; i < u->n && ok; i++) {
        struct use_milter *x = &u->v[i];
        bool on = true;
        if (ph != PHASE_MAIL && x->unasked)
            on = by_policy(x, v);
        else if (ph == PHASE_MAIL)
            on = one_mail(u, x, m, v);
        else if (ph == PHASE_RCPT)
            on = one_rcpt(u, x, m, v);
        else if (ph == PHASE_DATA)
            on = one_data(u, x, v);
        else
            on = use_milter_end(p, u, x, m, v, &ok);
        if (!on)
            break;
    }
    return ok;
}

bool use_milter_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    struct use_milters *u = of_session(own, m);
    if (!u)
        return false;
    u->about = m;
    u->rcpts += ph == PHASE_RCPT;
    bool ok = true, on = catch_up(u, m->source, v);
    if (on && (ph == PHASE_HELO || !str_eq(u->helo, m->source->helo)))
        on = hello(u, m->source, v);
    if (on && ph >= PHASE_MAIL)
        ok = each(p, u, ph, m, v);
    u->about = NULL;
    return ok;
}

void use_milter_tx_end(struct policy *p, void **own)
{
    struct use_milters *u = *own;
    (void)p;
    for (size_t i = 0; i < u->n; i++) {
        milter_abort(u->v[i].m);
        leave(&u->v[i], true, "");
        u->v[i].unasked = false;
    }
}

void use_milter_session_end(struct policy *p, void **own)
{
    struct use_milters *u = *own;
    (void)p;
    forget(&u);
    *own = NULL;
}

static size_t place(void)
{
    size_t i = 0;
    while (filters[i].name && filters[i].run != use_milter_run)
        i++;
    return i;
}

bool policy_unknown(struct policy *p, const struct source *s, const struct conf *c, str line, struct verdict *v)
{
    SCRATCH struct milter_verdict said;
    size_t at = place();
    struct matter m = {.source = s, .conf = c};
    struct use_milters *u = p && filters[at].name && !p->lifted ? p->own[at] : NULL;
    verdict_init(v);
    if (!u)
        return true;
    u->about = &m;
    bool on = true;
    for (size_t i = 0; i < u->n && on; i++)
        on = milter_unknown(u->v[i].m, line, &said) != OK || use_milter_settled(&u->v[i], &said, v);
    u->about = NULL;
    return on;
}

static struct use_milters *here(const struct policy *p)
{
    size_t at = place();
    return p && filters[at].name && !p->lifted && !p->tx_lifted ? p->own[at] : NULL;
}

unsigned policy_rcpts_told(const struct policy *p)
{
    const struct use_milters *u = here(p);
    return u ? u->rcpts : 0;
}

void policy_rcpt_refused(struct policy *p, const struct source *s, const struct conf *c, const struct rcpt_cmd *rcpt,
                         const struct reply *r)
{
    SCRATCH char mem[ADDR_TEXT_MAX + 2];
    struct matter m = {.source = s, .conf = c, .rcpt = rcpt};
    struct use_milters *u = here(p);
    if (!u)
        return;
    u->about = &m;
    u->refusal = r;
    for (size_t i = 0; i < u->n; i++) {
        str address = bracketed(&rcpt->to, mem, sizeof mem, &u->rcpt);
        if (!u->v[i].unasked)
            (void)milter_rcpt_refused(u->v[i].m, address, rcpt->p.raw); /* what goes wrong is found out again at DATA */
    }
    u->rcpt = S("");
    u->refusal = NULL;
    u->about = NULL;
}

bool use_milter_act(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
                    struct verdict *v)
{
    size_t at = place();
    struct use_milters *u = p->own[at];
    (void)rule;
    (void)v;
    if (!u)
        p->own[at] = u = make(m->conf);
    if (!u)
        return false;
    p->also[at] |= all_phases;
    p->wants[at] |= all_phases;
    p->phases |= all_phases;
    p->may_change = true;
    /* titles mean the filters of the generation that this session began with */
    const struct conf_milter *c = NULL;
    for (size_t i = 0; i < u->conf->nmilters && !c; i++)
        if (str_ieq(u->conf->all_milters[i].title, a->milter->title))
            c = &u->conf->all_milters[i];
    return !c || has(u, c) || add(u, c);
}
