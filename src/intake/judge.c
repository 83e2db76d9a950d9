/* The checks that every message passes: its size as announced, its hops, what its octets are. */
#include "intake/judge.h"
#include "intake/internal.h"

static const struct judges *others;

void judge_setup(const struct judges *j) { others = j; }

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

static judge_fn *const always[PHASE_COUNT] = {[PHASE_MAIL] = on_mail, [PHASE_HEADER] = on_header, [PHASE_END] = on_end};

bool judge(enum phase p, struct matter *m, struct reply *r)
{
    if (always[p] && !always[p](m, r))
        return false;
    return !others || !others->phase[p] || others->phase[p](m, r);
}

bool judge_wants(enum phase p) { return others && others->phase[p]; }

bool judge_may_change(const struct matter *m) { return others && others->may_change && others->may_change(m); }
