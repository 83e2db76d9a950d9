/* The command `reports`: another room keeps them and renders the answer, on the pool. */
#include "ctl/internal.h"

struct job {
    struct ctl_session *s;
    struct buf why;
    int status;
};

static void answer(void *arg)
{
    struct job *j = arg;
    const struct ctl_args *a = &j->s->args;
    j->status = j->s->rooms->reports(a->word + 1, a->nword - 1, j->s->out.json, &j->s->out.b, &j->why);
}

int ctl_reports(struct ctl_session *s)
{
    struct job j = {.s = s, .status = EXIT_FAIL};
    if (!s->rooms->reports)
        return ctl_fail(s, EXIT_FAIL, "postrider: this server keeps no reports");
    buf_init(&j.why, 2048);
    if (rt_pool_run(answer, &j))
        buf_add_c(&j.why, "postrider: reports: the server has no memory for it now");
    if (j.why.n)
        ctl_fail(s, j.status, STR_FMT, STR_ARG(buf_str(&j.why)));
    buf_free(&j.why);
    return j.status;
}
