/* clamd, asked about the whole message at its end: what it finds is refused, or put aside, dropped, marked. */
#include "policy/internal.h"
#include "policy/service.h"

static enum service_fail fail_of(const struct conf *c)
{
    static const enum service_fail of[] = {SERVICE_DEFER, SERVICE_ACCEPT, SERVICE_REFUSE};
    return of[c->clamd_fail];
}

static bool apply(struct policy *p, const struct matter *m, const char *name, struct verdict *v)
{
    str virus = arena_str(policy_mem(p), str_c(name));
    if (!virus.p)
        return false;
    p->content.virus = virus;
    v->why = virus;
    switch ((enum conf_found)m->conf->clamd_found) {
    case CONF_FOUND_REFUSE:
        verdict_reply(v, 554, "5.7.1", "The message holds a virus: %s", name);
        v->why = S("");
        break;
    case CONF_FOUND_QUARANTINE:
        v->kind = VERDICT_QUARANTINE;
        break;
    case CONF_FOUND_DISCARD:
        v->kind = VERDICT_DISCARD;
        break;
    case CONF_FOUND_MARK:
        v->why = S("");
        policy_note(p, m, "clamd", "found", virus);
        policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("virus"), .value = virus});
        return policy_add_edit(p, &(struct edit){.kind = EDIT_HEADER_ADD, .name = S("X-Virus"), .value = virus}) !=
               E_NOMEM;
    }
    return true;
}

bool content_clamd(struct policy *p, const struct matter *m, struct verdict *v)
{
    const struct conf *c = m->conf;
    struct service_octets o = {p, m};
    struct clamd_question q = {.address = c->clamd, .most = (uint64_t)c->clamd_size};
    struct clamd_answer r = {0};
    char mem[300];
    struct buf why;
    if (p->content.clamd || !c->clamd.n || !service_message(&o, &q.octets))
        return true;
    p->content.clamd = true;
    buf_init_fixed(&why, mem, sizeof mem);
    struct breaker *b = breaker_of("clamd", c->clamd);
    if (!breaker_enter(b)) {
        service_failed(p, m, v, fail_of(c), "clamd", "virus scanner", S("it failed before, and is left alone for now"));
        return true;
    }
    q.deadline = rt_after(c->clamd_time);
    rt_time begun = rt_now();
    err e = clamd_ask(&q, &r, &why);
    breaker_took(b, begun);
    if (e == E_CANCELLED)
        breaker_cancel(b);
    else
        breaker_leave(b, e == OK || e == E_LIMIT, (uint32_t)c->clamd_failures, c->clamd_pause, err_text(e));
    if (e) {
        service_failed(p, m, v, fail_of(c), "clamd", "virus scanner", why.n ? buf_str(&why) : str_c(err_text(e)));
        return true;
    }
    if (r.cut)
        policy_note(p, m, "clamd", "cut", S("only the beginning was looked at"));
    return !r.found || apply(p, m, r.name, v);
}

unsigned clamd_wants(const struct source *s, const struct conf *c)
{
    return c->clamd.n && content_whose(c->clamd_mail, s, c) ? PHASE_BIT(PHASE_END) : 0;
}

bool clamd_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    (void)own;
    (void)ph;
    return content_clamd(p, m, v);
}
