/* postrider dkim and postrider arc: signatures verified and made, without a configuration. */
#include "cli/check.h"
#include "wire/head.h"

/* ---- verify ---- */

static int verify(struct check_run *r, bool arc, struct check_results *ret) YIELDS
{
    struct check_mail *m = NULL;
    size_t head = head_len(r->message, NULL);
    err e = check_mail_begin(&r->check, str_sub(r->message, 0, head), arc, &m);
    if (e)
        return cli_fail(EX_OSERR, "the signatures cannot be read: %s", err_text(e));
    check_mail_body(m, str_skip(r->message, head));
    check_mail_end(m, ret);
    check_mail_free(&m);
    return 0;
}

static void print_tag(struct buf *out, const char *name, str value)
{
    if (value.n) {
        buf_printf(out, " %s=", name);
        text_safe(out, value);
    }
}

static void print_why(struct buf *out, str why)
{
    if (why.n)
        buf_printf(out, " (" STR_FMT ")", STR_ARG(why));
    buf_add_char(out, '\n');
}

static int dkim_verify_run(struct check_run *r)
{
    struct check_results v = {0};
    int status = verify(r, false, &v);
    if (status)
        return status;
    if (!v.ndkim)
        buf_add(&r->out, S("none\n"));
    for (size_t i = 0; i < v.ndkim; i++) {
        const struct check_dkim *d = &v.dkim[i];
        buf_add_c(&r->out, check_result_name(d->result));
        print_tag(&r->out, "d", d->domain);
        print_tag(&r->out, "s", d->selector);
        print_tag(&r->out, "a", d->algorithm);
        print_tag(&r->out, "i", d->identity);
        if (d->key_bits)
            buf_printf(&r->out, " bits=%u", d->key_bits);
        if (d->testing)
            buf_add(&r->out, S(" testing"));
        print_why(&r->out, d->why);
    }
    if (v.dkim_more)
        buf_printf(&r->out, "policy (only the first %d signatures are looked at)\n", CHECK_SIGNATURES_MAX);
    return 0;
}

static int arc_verify_run(struct check_run *r)
{
    struct check_results v = {0};
    int status = verify(r, true, &v);
    if (status)
        return status;
    buf_add_c(&r->out, check_result_name(v.arc.result));
    if (v.arc.instances)
        buf_printf(&r->out, " i=%u", v.arc.instances);
    print_tag(&r->out, "d", v.arc.domain);
    if (v.arc.result == CHECK_PASS)
        buf_printf(&r->out, " oldest-pass=%u", v.arc.oldest_pass);
    print_why(&r->out, v.arc.why);
    return 0;
}

/* ---- the commands ---- */

static const struct check_command commands[] = {
    {"dkim verify", "", NEEDS_MESSAGE, NULL, 0, dkim_verify_run},
    {"arc verify", "", NEEDS_MESSAGE, NULL, 0, arc_verify_run},
};

/* argv[0] is "dkim" or "arc", argv[1] the verb. */
static int run(const char *group, int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        str name = str_c(commands[i].name), first = str_c(group);
        if (str_starts(name, first) && name.p[first.n] == ' ' && str_eq(str_skip(name, first.n + 1), str_c(argv[1])))
            return cli_check(&commands[i], argc - 1, argv + 1);
    }
    return -1;
}

int cli_dkim(int argc, char **argv)
{
    int status = run("dkim", argc, argv);
    return status >= 0 ? status : cli_fail(EX_USAGE, "dkim: expected verify, sign or key behind it");
}

int cli_arc(int argc, char **argv)
{
    int status = run("arc", argc, argv);
    return status >= 0 ? status : cli_fail(EX_USAGE, "arc: expected verify or seal behind it");
}
