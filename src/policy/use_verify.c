/* Recipients of domains with `verify = true` are asked for at the server of `deliver` before they are taken. */
#include "policy/internal.h"
#include "policy/use.h"
#include "policy/verify.h"

enum { ADDRESS_MAX = 400 };

bool verify_verdict(const struct conf *c, const struct url *server, str to, struct verdict *v)
{
    SCRATCH struct reply r;
    reply_init(&r);
    switch (verify_ask(c, server, to, &r)) {
    case VERIFY_UNKNOWN:
        verdict_reply(v, 550, r.esc[0] == '5' ? r.esc : "5.1.1", "The server for this recipient says: %d " STR_FMT,
                      r.code, STR_ARG(str_sub(reply_text(&r), 0, 300)));
        return false;
    case VERIFY_LATER:
        verdict_reply(v, 450, r.esc[0] == '4' ? r.esc : "4.2.0", "The server for this recipient says: %d " STR_FMT,
                      r.code, STR_ARG(str_sub(reply_text(&r), 0, 300)));
        return false;
    case VERIFY_DOWN:
        if (c->policy_verify_fail == CONF_VERIFY_ACCEPT)
            return true;
        verdict_reply(v, 450, "4.4.1", "The server for this recipient cannot be asked, try again later");
        return false;
    case VERIFY_OK:
        break;
    }
    return true;
}

unsigned verify_wants(const struct source *s, const struct conf *c)
{
    return c->verifies && !s->proxied ? PHASE_BIT(PHASE_RCPT) : 0;
}

bool verify_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    char mem[ADDRESS_MAX];
    struct buf to;
    (void)p;
    (void)own;
    (void)ph;
    const struct conf_domain *d = m->rcpt->to.kind == ADDR_NAME ? conf_domain(m->conf, m->rcpt->to.domain) : NULL;
    if (!d || !d->verify || d->hop.how != CONF_TO_SERVER)
        return true;
    buf_init_fixed(&to, mem, sizeof mem);
    addr_print(&to, &m->rcpt->to);
    (void)verify_verdict(m->conf, &d->hop.url, buf_str(&to), v);
    return true;
}
