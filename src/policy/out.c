/* Rules and a script's hooks on the way out: of an accepted message and one recipient, before an attempt. There is no
 * session any more. */
#include "policy/internal.h"
#include "policy/rules.h"
#include "policy/use_script.h"

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

static bool run_rules(struct policy *p, enum phase ph, struct matter *m, struct verdict *v) YIELDS
{
    for (size_t i = 0; i < m->conf->nrules; i++) {
        const struct conf_rule *r = &m->conf->rules[i];
        if (!is_out(r) || (enum phase)r->phase != ph)
            continue;
        bool yes = cond_true(p, m, r->cond);
        if (policy_lacks_memory(p))
            return false;
        if (!yes)
            continue;
        if (!rule_apply(p, r, m, v))
            return false;
        if (v->kind != VERDICT_CONTINUE) {
            (void)policy_take(p, ph, m, v);
            return true;
        }
    }
    return true;
}

/* The hook of the script for this phase. What it holds is noted, and the rest goes on. */
static bool run_script(struct policy *p, enum phase ph, struct matter *m, struct verdict *v) YIELDS
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
    if (v->kind != VERDICT_CONTINUE)
        (void)policy_take(p, ph, m, v);
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

bool policy_out(const struct conf *c, const struct policy_leaving *l, struct verdict *v)
{
    static const struct source nobody = {.client_text = {"", 0}, .listener = {"delivery", 8}};
    struct policy *p = policy_bare();
    struct matter m = {.source = &nobody, .conf = c, .env = l->env, .to = l->to, .site = l->site, .text = l->head};
    verdict_init(v);
    if (!p)
        return false;
    bool ok = true;
    for (enum phase ph = PHASE_ROUTE; ok && ph <= PHASE_DELIVER && v->kind == VERDICT_CONTINUE; ph++) {
        p->phase = ph;
        p->running = "rules";
        ok = run_rules(p, ph, &m, v) && (v->kind != VERDICT_CONTINUE || run_script(p, ph, &m, v));
    }
    if (ok)
        finish(p, v);
    v->by = NULL; /* it does not outlive the pipeline */
    v->why = v->to = S("");
    if (ok && l->env)
        policy_noted(p, l->env->id);
    policy_free(&p);
    return ok;
}
