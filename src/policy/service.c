/* See service.h. */
#include "policy/internal.h"
#include "policy/service.h"

static err read_at(void *arg, uint64_t at, str *ret) YIELDS;
static err read_at(void *arg, uint64_t at, str *ret)
{
    struct service_octets *o = arg;
    return policy_body(o->p, o->m, &at, ret);
}

static bool replaced(const struct policy *p)
{
    for (const struct edit *e = p->edits; e; e = e->next)
        if (e->kind == EDIT_BODY)
            return true;
    return false;
}

bool service_message(struct service_octets *o, struct scan_octets *ret)
{
    *ret = (struct scan_octets){.read = read_at, .arg = o};
    if (!o->m->octets)
        return false;
    ret->size = o->m->octets->size;
    if (!replaced(o->p))
        return true;
    for (uint64_t at = 0;;) { /* with another body it has another size */
        str piece;
        ret->size = at;
        if (policy_body(o->p, o->m, &at, &piece) != OK)
            return false;
        if (!piece.n)
            return true;
    }
}

void service_failed(struct policy *p, const struct matter *m, struct verdict *v, enum service_fail fail, const char *by,
                    const char *what, str why)
{
    policy_note(p, m, by, "unavailable", why);
    if (fail == SERVICE_DEFER)
        verdict_reply(v, 451, "4.7.1", "The %s cannot be asked now, try again later", what);
    else if (fail == SERVICE_REFUSE)
        verdict_reply(v, 554, "5.7.1", "Not accepted: the %s cannot be asked", what);
}
