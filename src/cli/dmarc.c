/* `postrider dmarc`: what a receiver of this message from this client would find. */
#include "cli/check.h"
#include "wire/head.h"

/* SPF and DKIM, and DMARC from both. */
static err judge(struct check_run *r, struct check_results *got) YIELDS
{
    size_t head = head_len(r->message, NULL);
    struct check_mail *m;
    err e = check_mail_begin(&r->check, str_sub(r->message, 0, head), false, &m);
    if (e)
        return e;
    check_spf_mail(&r->check, &got->mail);
    check_mail_body(m, str_skip(r->message, head));
    check_mail_end(m, got);
    check_mail_free(&m);
    check_dmarc(&r->check, str_sub(r->message, 0, head), got);
    return OK;
}

static void field(struct buf *out, const char *name, str value)
{
    if (value.n)
        buf_printf(out, " %s=" STR_FMT, name, STR_ARG(value));
}

static int run(struct check_run *r)
{
    struct check_results *got = arena_new(r->check.mem, struct check_results);
    err e = got ? judge(r, got) : E_NOMEM;
    if (e)
        return cli_fail(EX_OSERR, "the message cannot be checked: %s", err_text(e));
    const struct check_dmarc *d = &got->dmarc;
    buf_add_c(&r->out, check_result_name(d->result));
    field(&r->out, "from", d->from);
    if (d->policy_domain.n) {
        field(&r->out, "policy-domain", d->policy_domain);
        field(&r->out, "org-domain", d->org_domain);
        field(&r->out, "policy", str_c(dmarc_policy_name(d->published)));
        field(&r->out, "disposition", str_c(dmarc_policy_name(d->policy)));
        field(&r->out, "spf", str_c(d->spf_aligned ? "aligned" : check_result_name(got->mail.result)));
        field(&r->out, "dkim", str_c(d->dkim_aligned ? "aligned" : "not-aligned"));
        field(&r->out, "by", d->aligned_by);
    }
    if (d->why.n)
        buf_printf(&r->out, " (" STR_FMT ")", STR_ARG(d->why));
    buf_add_char(&r->out, '\n');
    return 0;
}

int cli_dmarc(int argc, char **argv)
{
    static const struct check_command c = {"dmarc", "", NEEDS_CLIENT | NEEDS_MESSAGE, {NULL, 0}, run};
    return cli_check(&c, argc, argv);
}
