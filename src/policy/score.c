/* The last filter: what the points of all others add up to. */
#include "policy/internal.h"

unsigned score_wants(const struct source *s, const struct conf *c)
{
    bool any = c->policy_score_refuse || c->policy_score_quarantine || c->policy_score_junk;
    (void)s;
    return any ? PHASE_BIT(PHASE_END) : 0;
}

static bool at_least(double score, int64_t most) { return most && score >= (double)most; }

static bool mark(struct policy *p, const struct matter *m, str text)
{
    const struct edit field = {.kind = EDIT_HEADER_INSERT, .name = S("X-Spam-Flag"), .value = S("YES")},
                      score = {.kind = EDIT_HEADER_INSERT, .name = S("X-Spam-Score"), .value = text},
                      junk = {.kind = EDIT_JUNK, .name = S(""), .value = S("")};
    if (policy_add_edit(p, &junk) || policy_add_edit(p, &score) || policy_add_edit(p, &field))
        return false;
    policy_note(p, m, "score", "junk", text);
    return true;
}

bool score_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    double score = policy_score_now(p);
    char mem[40];
    struct buf text;
    (void)own;
    (void)ph;
    buf_init_fixed(&text, mem, sizeof mem);
    buf_printf(&text, "%.2f", score);
    if (at_least(score, m->conf->policy_score_refuse)) {
        verdict_reply(v, 550, "5.7.1", "This message was found too suspicious to be taken (score " STR_FMT ")",
                      STR_ARG(buf_str(&text)));
    } else if (at_least(score, m->conf->policy_score_quarantine)) {
        v->kind = VERDICT_QUARANTINE;
        v->why = arena_printf(&p->tx, "score " STR_FMT, STR_ARG(buf_str(&text)));
        return v->why.p;
    } else if (at_least(score, m->conf->policy_score_junk)) {
        return mark(p, m, buf_str(&text));
    }
    return true;
}
