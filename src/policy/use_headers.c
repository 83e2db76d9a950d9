/* Headers of strangers' mail, at its end, when it is also known what its octets are: points for what is odd. */
#include "policy/internal.h"
#include "policy/sanity.h"

#include "check/check.h"

unsigned headers_wants(const struct source *s, const struct conf *c)
{
    return c->policy_headers == CONF_HEADERS_MARK && client_is_stranger(s, c) ? PHASE_BIT(PHASE_END) : 0;
}

static bool give_points(struct policy *p, const struct matter *m, uint32_t odd)
{
    for (int i = 0; i < SANITY_COUNT; i++) {
        char mem[40];
        struct buf name;
        if (!(odd & 1u << i))
            continue;
        buf_init_fixed(&name, mem, sizeof mem);
        buf_printf(&name, "header.%s", sanity_rows[i].name);
        policy_score(p, m, sanity_rows[i].points, "headers", str_c(sanity_rows[i].text));
        if (policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = buf_str(&name), .value = S("yes")}) == E_NOMEM)
            return false;
    }
    return true;
}

/* Authentication that failed and yet refused nothing (softfail, policies of none) speaks against a message a little. */
static void judge_checks(struct policy *p, const struct matter *m)
{
    const struct check_results *r = m->checks;
    if (!r)
        return;
    if (r->mail.result == CHECK_FAIL)
        policy_score(p, m, 2, "headers", S("SPF: fail"));
    else if (r->mail.result == CHECK_SOFTFAIL)
        policy_score(p, m, 1, "headers", S("SPF: softfail"));
    if (r->dmarc.result == CHECK_FAIL)
        policy_score(p, m, 2, "headers", S("DMARC: fail"));
    else if (r->dmarc.result == CHECK_PASS)
        policy_score(p, m, -1, "headers", S("DMARC: pass"));
}

bool headers_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    bool utf8 = m->mail && m->mail->p.smtputf8, body_8bit = m->scan->flags & DATA_8BIT_BODY;
    (void)own;
    (void)ph;
    (void)v;
    if (!give_points(p, m, sanity_of(m->text, rt_wall_ms() / 1000, body_8bit, utf8)))
        return false;
    judge_checks(p, m);
    return true;
}
