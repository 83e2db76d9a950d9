/* `postrider auth`: everything that a receiver of this message from this client would find, in one field. */
#include "cli/check.h"

static err judge(struct check_run *r, struct check_results *got) YIELDS
{
    size_t head = head_len(r->message, NULL);
    struct check_mail *m;
    struct check *c = &r->check;
    err e = check_mail_begin(c, str_sub(r->message, 0, head), true, &m);
    if (e)
        return e;
    check_iprev(c, &got->iprev);
    check_spf_helo(c, &got->helo);
    check_spf_mail(c, &got->mail);
    check_mail_body(m, str_skip(r->message, head));
    check_mail_end(m, got);
    check_mail_free(&m);
    check_dmarc(c, str_sub(r->message, 0, head), got);
    return OK;
}

static str authserv(struct check_run *r)
{
    char name[256] = "";
    if (r->check.us.n)
        return r->check.us;
    if (gethostname(name, sizeof name - 1) || !name[0])
        return S("localhost");
    return arena_str(r->check.mem, str_c(name));
}

static int run(struct check_run *r)
{
    struct check_results *got = arena_new(r->check.mem, struct check_results);
    err e = got ? judge(r, got) : E_NOMEM;
    AUTO_BUF field = {.max = 65536};
    e = e ? e : check_authres(&r->check, got, authserv(r), &field);
    if (e)
        return cli_fail(EX_OSERR, "the message cannot be checked: %s", err_text(e));
    for (size_t i = 0; i < field.n; i++)
        if (field.p[i] != '\r')
            buf_add_char(&r->out, field.p[i]);
    return 0;
}

int cli_auth(int argc, char **argv)
{
    static const struct check_command c = {"auth", "", NEEDS_CLIENT | NEEDS_MESSAGE, {NULL, 0}, run};
    return cli_check(&c, argc, argv);
}
