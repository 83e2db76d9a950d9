/*
 * The one place where a verdict is asked for, whatever brought a message and wherever it goes: a phase of a session,
 * what is known in it, and one function a phase. Behind it stand the checks that are always made; a pipeline of
 * rules registers itself before them.
 */
#ifndef INTAKE_JUDGE_H
#define INTAKE_JUDGE_H
#include "intake/intake.h"

enum phase {
    PHASE_CONNECT, /* nothing was said yet */
    PHASE_HELO,    /* source.helo */
    PHASE_MAIL,    /* mail */
    PHASE_RCPT,    /* rcpt */
    PHASE_HEADER,  /* text: the header block, its empty line included */
    PHASE_BODY,    /* text: octets of the body in order, dots taken away; only when somebody registered for it */
    PHASE_END,     /* scan: what the octets were */
    PHASE_COUNT
};

struct check_results;
struct matter {
    const struct source *source;
    const struct conf *conf;
    const struct mail_cmd *mail;
    const struct rcpt_cmd *rcpt;
    const struct envelope *env; /* from MAIL on, as far as it is known */
    const struct data_in *scan;
    str text;
    const struct check_results *checks; /* SPF at RCPT, all of them at HEADER and END; NULL: none are made */
    const struct head_facts *facts;     /* (intake's own) of the header, when known already */
};

/* False: refused (or deferred), and *r says why. */
typedef bool judge_fn(struct matter *m, struct reply *r);

struct judges { /* any may be NULL */
    judge_fn *phase[PHASE_COUNT];
    /* May the message be changed at its end? Then a proxy holds it back until then. NULL: never. */
    bool (*may_change)(const struct matter *m);
};
void judge_setup(const struct judges *j); /* once, before sessions; it stays */

bool judge(enum phase p, struct matter *m, struct reply *r) YIELDS;
bool judge_wants(enum phase p);
bool judge_may_change(const struct matter *m);

#endif
