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

/* One recipient, and what it is redirected to. */
static void leave(struct trial *t, str to, str head) YIELDS;
static void leave(struct trial *t, str to, str head)
{
    struct arena *mem = t->run->check.mem;
    SCRATCH struct verdict v;
    str past = S("");
    for (int i = 0; i <= POLICY_REDIRECTS; i++) {
        const struct policy_leaving l = {.env = &t->env,
                                         .to = to,
                                         .site = S(""),
                                         .head = head,
                                         .past = past,
                                         .mem = mem,
                                         .hear = hear,
                                         .hear_arg = t};
        trial_say(t, "route", "", "recipient", to);
        if (!policy_out(t->conf, &l, &v) || v.kind != VERDICT_REDIRECT)
            break;
        past = arena_printf(mem, STR_FMT "%s" STR_FMT, STR_ARG(past), past.n ? "\n" : "", STR_ARG(to));
        to = v.to;
        if (!past.p)
            return;
    }
    trial_say(t, "deliver", "", v.kind <= VERDICT_ACCEPT ? "sent" : verdict_name(v.kind), to);
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
