/* The checks that every message passes: its size as announced, its hops, what its octets are. */
#include "intake/judge.h"
#include "intake/internal.h"

/* RFC 1870 6.1 */
static bool on_mail(struct matter *m, struct reply *r)
{
    int64_t most = m->conf->limits_message_size;
    if (m->mail->p.size <= (uint64_t)most)
        return true;
    reply_set(r, 552, "5.3.4", "Message size exceeds fixed maximum of %lld octets", (long long)most);
    return false;
}

/* RFC 5321 6.3 */
static bool on_header(struct matter *m, struct reply *r)
{
    struct head_facts mine;
    const struct head_facts *f = m->facts;
    if (!f) {
        head_look(m->text, m->conf->hostname, &mine);
        f = &mine;
    }
    if (f->received < (unsigned)m->conf->limits_hops && f->own <= OWN_HOPS)
        return true;
    reply_set(r, 554, "5.4.6", "Too many hops: mail loop");
    return false;
}

/* What may not be in a message that is not BINARYMIME (RFC 5321 2.3.8, 4.5.3.1.6; RFC 6152 2). */
static bool on_end(struct matter *m, struct reply *r)
{
    unsigned f = m->scan->flags;
    if (m->env->body == BODY_BINARYMIME)
        return true;
    if (f & (DATA_BARE | DATA_NUL)) {
        reply_set(r, 554, "5.6.11", "%s in message", f & DATA_BARE ? "Bare CR or LF" : "NUL");
        return false;
    }
    if (f & DATA_LONG_LINE) {
        reply_set(r, 554, "5.6.0", "Line of more than %lld octets in message", (long long)m->conf->limits_line_length);
        return false;
    }
    return true;
}

static bool (*const always[PHASE_COUNT])(struct matter *m, struct reply *r) = {
    [PHASE_MAIL] = on_mail, [PHASE_HEADER] = on_header, [PHASE_END] = on_end};

bool judge_always(enum phase p, struct matter *m, struct reply *r) { return !always[p] || always[p](m, r); }

bool judge_policy(enum phase p, struct matter *m, struct verdict *v)
{
    struct policy *of = m->source->policy;
    verdict_init(v);
    if (!policy_wants(of, p))
        return true;
    if (!policy_judge(of, p, m, v)) {
        verdict_reply(v, 451, "4.3.1", "Out of memory, try again later");
        return false;
    }
    return v->kind != VERDICT_REFUSE && v->kind != VERDICT_DEFER;
}

bool judge_verdict(enum phase p, struct matter *m, struct verdict *v)
{
    verdict_init(v);
    if (judge_always(p, m, &v->reply))
        return judge_policy(p, m, v);
    v->kind = v->reply.code >= 500 ? VERDICT_REFUSE : VERDICT_DEFER;
    return false;
}

bool judge(enum phase p, struct matter *m, struct reply *r)
{
    SCRATCH struct verdict v;
    if (judge_verdict(p, m, &v))
        return true;
    *r = v.reply;
    return false;
}
