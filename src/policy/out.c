/* Rules and a script's hooks on the way out: of an accepted message and one recipient, before an attempt. There is no
 * session any more. */
#include "policy/internal.h"
#include "policy/rules.h"
#include "policy/use_script.h"
#include "wire/addr.h"

static bool is_out(const struct conf_rule *r)
{
    return r->phase >= RULE_AT_ROUTE && (r->everywhere || r->where & CONF_ON_DELIVERY);
}

bool policy_out_wanted(const struct conf *c)
{
    for (size_t i = 0; i < c->nrules; i++)
        if (is_out(&c->rules[i]))
            return true;
    return c->nscripts && use_script_wants(NULL, c) & (PHASE_BIT(PHASE_ROUTE) | PHASE_BIT(PHASE_DELIVER));
}

/* To where this recipient is, or was; or it was redirected from here before and an alias has led it back. So what
 * points at each other comes to an end. */
static bool goes_round(const struct policy_leaving *l, str to)
{
    str past = l->past, one;
    bool yes = str_ieq(to, l->to);
    while (!yes && past.n && str_cut(&past, '\n', &one))
        yes = str_ieq(one, to) || str_ieq(one, l->to);
    return yes;
}

/* The address in the form of envelopes; p NULL: it is none. */
static str normal(struct policy *p, str text)
{
    char mem[ADDR_TEXT_MAX];
    struct buf out;
    struct addr a;
    if (addr_parse(text, ADDR_F_UTF8 | ADDR_F_UNDERSCORE, &p->tx, &a) || a.kind == ADDR_LOCAL || a.kind == ADDR_NONE)
        return (str){NULL, 0};
    buf_init_fixed(&out, mem, sizeof mem);
    addr_print(&out, &a);
    return out.e ? (str){NULL, 0} : arena_str(&p->tx, buf_str(&out));
}

/* A recipient that was redirected from an address and is there again stays there: the verdict is none. */
static void take(struct policy *p, enum phase ph, const struct policy_leaving *l, struct matter *m, struct verdict *v)
{
    static const char past[] = "would redirect";
    str to = v->kind == VERDICT_REDIRECT ? normal(p, v->to) : v->to;
    if (!to.p)
        verdict_reply(v, 451, "4.3.5", "The address to redirect to is none");
    v->to = to.p ? to : S("");
    if (v->kind == VERDICT_REDIRECT && goes_round(l, v->to)) {
        if (!str_ieq(v->to, l->to))
            policy_note(p, m, v->by, past, S("not again: it was there before"));
        verdict_init(v);
    } else if (v->kind != VERDICT_CONTINUE) {
        (void)policy_take(p, ph, m, v);
    }
}

static bool run_rules(struct policy *p, enum phase ph, const struct policy_leaving *l, struct matter *m,
                      struct verdict *v) YIELDS
{
    for (size_t i = 0; i < m->conf->nrules; i++) {
        const struct conf_rule *r = &m->conf->rules[i];
        if (!is_out(r) || (enum phase)r->phase != ph)
            continue;
        if (!rule_apply(p, r, m, v))
            return false;
        take(p, ph, l, m, v);
        if (v->kind != VERDICT_CONTINUE)
            return true;
    }
    return true;
}

/* The hook of the script for this phase. What it holds is noted, and the rest goes on. */
static bool run_script(struct policy *p, enum phase ph, const struct policy_leaving *l, struct matter *m,
                       struct verdict *v) YIELDS
{
    size_t i = 0;
    while (filters[i].name && filters[i].run != use_script_run)
        i++;
    if (!filters[i].name || !m->conf->nscripts || !(use_script_wants(NULL, m->conf) & PHASE_BIT(ph)))
        return true;
    p->running = filters[i].name;
    if (!use_script_run(p, &p->own[i], ph, m, v))
        return false;
    if (!v->by)
        v->by = filters[i].name;
    bool hold = v->kind == VERDICT_HOLD || v->kind == VERDICT_QUARANTINE;
    take(p, ph, l, m, v);
    if (hold)
        verdict_init(v);
    return true;
}

/* What is to be done: what was held stays held unless something behind it said more. */
static void finish(struct policy *p, struct verdict *v)
{
    if (v->kind == VERDICT_DISCARD)
        reply_set(&v->reply, 250, "2.0.0", "discarded by %s", v->by);
    if ((v->kind == VERDICT_CONTINUE || v->kind == VERDICT_ACCEPT) &&
        (p->outcome.kind == VERDICT_HOLD || p->outcome.kind == VERDICT_QUARANTINE))
        v->kind = VERDICT_HOLD;
}

/* What outlives the pipeline: the reply, and where to. */
static bool keep(const struct policy_leaving *l, struct verdict *v)
{
    str to = v->kind == VERDICT_REDIRECT ? arena_str(l->mem, v->to) : S("");
    str by = v->kind == VERDICT_REDIRECT && v->by ? arena_str(l->mem, str_c(v->by)) : S("");
    v->to = to;
    v->by = by.n ? by.p : NULL;
    v->why = S("");
    return to.p && by.p;
}

bool policy_out(const struct conf *c, const struct policy_leaving *l, struct verdict *v)
{
    static const struct source nobody = {.client_text = {"", 0}, .listener = {"delivery", 8}};
    struct policy *p = policy_bare();
    struct matter m = {.source = &nobody, .conf = c, .env = l->env, .to = l->to, .site = l->site, .text = l->head};
    enum phase last = l->unconnected ? PHASE_ROUTE : PHASE_DELIVER;
    verdict_init(v);
    if (!p)
        return false;
    if (l->hear)
        policy_listen(p, l->hear, l->hear_arg);
    bool ok = true;
    for (enum phase ph = PHASE_ROUTE; ok && ph <= last && v->kind == VERDICT_CONTINUE; ph++) {
        p->phase = ph;
        p->running = "rules";
        ok = run_rules(p, ph, l, &m, v) && (v->kind != VERDICT_CONTINUE || run_script(p, ph, l, &m, v));
    }
    if (ok)
        finish(p, v);
    ok = keep(l, v) && ok;
    if (ok && l->env)
        policy_noted(p, l->env->id);
    policy_free(&p);
    return ok;
}

str policy_past(struct arena *mem, str past, str address)
{
    return arena_printf(mem, STR_FMT "%s" STR_FMT, STR_ARG(past), past.n ? "\n" : "", STR_ARG(address));
}

bool policy_out_all(const struct conf *c, struct policy_leaving *l, struct verdict *v)
{
    for (int i = 0; i <= POLICY_REDIRECTS; i++) {
        if (l->turn)
            l->turn(l->hear_arg, l->to);
        if (!policy_out(c, l, v))
            return false;
        if (v->kind != VERDICT_REDIRECT)
            break;
        l->past = policy_past(l->mem, l->past, l->to);
        l->to = v->to;
        if (!l->past.p)
            return false;
    }
    return true;
}
