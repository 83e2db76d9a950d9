/* `policy test` goes on where the server would: what rules and a script say of each recipient on the way out. Aliases
 * and mailboxes are not looked at. */
#include "base/cleanup.h"
#include "cli/policy.h"

static bool removed(const struct trial *t, str address)
{
    for (const struct edit *e = policy_edits(t->src.policy); e; e = e->next)
        if (e->kind == EDIT_RCPT_REMOVE && str_ieq(e->value, address))
            return true;
    return false;
}

static void hear(void *arg, enum phase ph, const char *by, const char *what, str text)
{
    trial_say(arg, phase_name(ph), by, what, text);
}

static void turn(void *arg, str to) { trial_say(arg, "route", "", "recipient", to); }

/* One recipient, and what it is redirected to. */
static void leave(struct trial *t, str to, str head) YIELDS;
static void leave(struct trial *t, str to, str head)
{
    SCRATCH struct verdict v;
    struct policy_leaving l = {.env = &t->env,
                               .to = to,
                               .site = S(""),
                               .head = head,
                               .past = S(""),
                               .mem = t->run->check.mem,
                               .hear = hear,
                               .turn = turn,
                               .hear_arg = t};
    if (policy_out_all(t->conf, &l, &v))
        trial_say(t, "deliver", "", v.kind <= VERDICT_ACCEPT ? "sent" : verdict_name(v.kind), l.to);
}

void trial_out(struct trial *t, str block)
{
    const struct verdict *v = policy_outcome(t->src.policy);
    AUTO_BUF head = {.max = block.n + ((size_t)8 << 20)};
    if (!policy_out_wanted(t->conf) || v->kind == VERDICT_DISCARD ||
        policy_edit_head(policy_edits(t->src.policy), block, NULL, NULL, &head))
        return;
    str now = buf_str(&head);
    if (v->to.n) {
        leave(t, v->to, now);
        return;
    }
    for (uint32_t i = 0; i < t->env.nto; i++)
        if (!removed(t, t->env.to[i].address))
            leave(t, t->env.to[i].address, now);
    for (const struct edit *e = policy_edits(t->src.policy); e; e = e->next)
        if (e->kind == EDIT_RCPT_ADD)
            leave(t, e->value, now);
}
