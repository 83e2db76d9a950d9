/* The filter `rules`: those of the configuration that apply to a session, in their order, one after the other. */
#include "policy/internal.h"
#include "policy/rules.h"

/* ---- which rules apply
 * ------------------------------------------------------------------------------------------------ */

static const struct conf_listener *listener_of(const struct source *s, const struct conf *c)
{
    for (size_t i = 0; i < c->nlisteners && s->listener.n; i++)
        if (str_eq(c->listeners[i].title, s->listener))
            return &c->listeners[i];
    return NULL;
}

/* The direction of this session, as far as it is known. */
static unsigned side_of(const struct source *s)
{
    unsigned side = s->proxied ? CONF_ON_PROXY : 0;
    if (s->socket)
        return side | CONF_ON_LOCAL;
    if (s->submitted || s->authenticated)
        return side | CONF_ON_SUBMISSION;
    return side | (s->may_relay && !s->proxied ? CONF_ON_RELAY : CONF_ON_INBOUND);
}

static bool applies(const struct conf_rule *r, const struct source *s, const struct conf_listener *l)
{
    for (size_t i = 0; i < r->nlisteners; i++)
        if (r->listeners[i] == l)
            return true;
    bool listed = l && l->rules.n; /* the listener names its rules: they need no `on` of their own */
    return r->everywhere || (listed && !r->where) || r->where & side_of(s);
}

/* The i-th candidate; NULL: no more. */
static const struct conf_rule *candidate(const struct conf *c, const struct conf_listener *l, size_t i)
{
    if (l)
        return i < l->njudged ? l->judged[i] : NULL;
    return i < c->nrules ? &c->rules[i] : NULL;
}

/* Who the client is may become clear only later: all phases of the candidates count. */
unsigned rules_wants(const struct source *s, const struct conf *c)
{
    unsigned phases = 0;
    const struct conf_rule *r;
    if (!c->nrules)
        return 0;
    const struct conf_listener *l = listener_of(s, c);
    for (size_t i = 0; (r = candidate(c, l, i)); i++)
        if (r->phase < RULE_AT_ROUTE)
            phases |= PHASE_BIT(r->phase);
    return phases;
}

/* Actions that leave the message as it is: a verdict for the client, marks, points. */
static bool only_judges(enum rule_do what)
{
    return what == RULE_DO_ACCEPT || what == RULE_DO_REFUSE || what == RULE_DO_DEFER || what == RULE_DO_TAG ||
           what == RULE_DO_SCORE || what == RULE_DO_LIMIT || what == RULE_DO_GREYLIST || what == RULE_DO_VERIFY;
}

unsigned rules_change(const struct source *s, const struct conf *c)
{
    unsigned phases = 0;
    const struct conf_rule *r;
    const struct conf_listener *l = listener_of(s, c);
    for (size_t i = 0; (r = candidate(c, l, i)); i++)
        for (size_t k = 0; r->phase < RULE_AT_ROUTE && k < r->nactions; k++)
            if (!only_judges(r->actions[k].what))
                phases |= PHASE_BIT(r->phase);
    return phases;
}

bool rules_points(const struct source *s, const struct conf *c)
{
    const struct conf_rule *r;
    const struct conf_listener *l = listener_of(s, c);
    for (size_t i = 0; (r = candidate(c, l, i)); i++)
        for (size_t k = 0; k < r->nactions; k++)
            if (r->actions[k].what == RULE_DO_SCORE || r->actions[k].what == RULE_DO_SCRIPT)
                return true;
    return false;
}

/* ---- what they do
 * -------------------------------------------------------------------------------------------------------- */

static const char *const would[RULE_DOS] = {
#define RULE_DO(id, words, ...) [RULE_DO_##id] = "would " words,
#include "conf/rule.def"
};

static bool ends(const struct verdict *v, enum phase ph)
{
    switch (v->kind) {
    case VERDICT_CONTINUE:
    case VERDICT_QUARANTINE:
    case VERDICT_HOLD:
        return false;
    case VERDICT_REDIRECT:
        return ph == PHASE_RCPT || ph >= PHASE_ROUTE;
    default:
        return true;
    }
}

/* One action. A verdict that leaves the pipeline going is taken up here, and *v is empty again. */
static bool act(struct policy *p, const struct conf_rule *r, const struct rule_action *a, struct matter *m,
                struct verdict *v) YIELDS
{
    act_fn *fn = act_of(a->what);
    const char *by = v->by;
    if (!fn) {
        policy_note(p, m, by, "failed", str_c(rule_dos[a->what].words));
        return true;
    }
    if (!fn(p, r, a, m, v))
        return false;
    if (v->kind != VERDICT_CONTINUE && !ends(v, p->phase)) {
        (void)policy_take(p, p->phase, m, v);
        verdict_init(v);
    }
    v->by = by;
    return true;
}

/* What an action is about, for the note of a rule that only looks. */
static str about(struct policy *p, const struct conf_rule *r, size_t i)
{
    const struct rule_action *a = &r->actions[i];
    struct arena *mem = p->phase <= PHASE_AUTH ? &p->session : &p->tx;
    str all = i < r->then.n ? r->then.v[i] : S("");
    size_t words = strlen(rule_dos[a->what].words);
    if (a->what == RULE_DO_CLASS || a->what == RULE_DO_SCORE || a->what == RULE_DO_LIMIT)
        return str_trim(str_skip(all, words));
    str text = a->value.p ? a->value : S("");
    if (a->name.n)
        text = arena_printf(mem, STR_FMT "%s" STR_FMT, STR_ARG(a->name), text.n ? ": " : "", STR_ARG(text));
    return text.p ? text : S("");
}

/* An action of a rule that only looks. What depends on what was there before (a limit, the greylist, a server's answer)
 * is tried, and told only when it would have come to something. */
static bool look(struct policy *p, const struct conf_rule *r, size_t i, struct matter *m, const char *by) YIELDS
{
    const struct rule_action *a = &r->actions[i];
    bool depends = a->what == RULE_DO_LIMIT || a->what == RULE_DO_GREYLIST || a->what == RULE_DO_VERIFY;
    SCRATCH struct verdict v;
    verdict_init(&v);
    v.by = by;
    if (depends && !act(p, r, a, m, &v))
        return false;
    if (!depends || v.kind != VERDICT_CONTINUE)
        policy_note(p, m, by, would[a->what], about(p, r, i));
    return true;
}

bool rule_apply(struct policy *p, const struct conf_rule *r, struct matter *m, struct verdict *v)
{
    bool yes = cond_true(p, m, r->cond);
    if (policy_lacks_memory(p))
        return false;
    if (!yes)
        return true;
    str by = arena_printf(p->phase <= PHASE_AUTH ? &p->session : &p->tx, "rule " STR_FMT, STR_ARG(r->title));
    if (!by.p)
        return false;
    v->by = p->running = by.p;
    for (size_t i = 0; i < r->nactions && v->kind == VERDICT_CONTINUE; i++)
        if (!(r->monitor ? look(p, r, i, m, v->by) : act(p, r, &r->actions[i], m, v)) || policy_lacks_memory(p))
            return false;
    return true;
}

bool rules_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    (void)own;
    const struct conf_rule *r;
    const struct conf_listener *l = listener_of(m->source, m->conf);
    for (size_t i = 0; (r = candidate(m->conf, l, i)); i++) {
        if ((enum phase)r->phase != ph || !applies(r, m->source, l))
            continue;
        if (!rule_apply(p, r, m, v))
            return false;
        if (v->kind != VERDICT_CONTINUE)
            return true;
        v->by = NULL;
    }
    return true;
}
