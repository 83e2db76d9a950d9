/* `postrider spf`: what a receiver of mail from this client would find. */
#include "cli/check.h"

static const char *explanation;

static int run(struct check_run *r)
{
    struct check_spf spf;
    check_spf_mail(&r->check, &spf);
    buf_printf(&r->out, "%s\n", check_result_name(spf.result));
    if (spf.result != CHECK_FAIL || !explanation)
        return 0;
    buf_add(&r->out, S("explanation: "));
    if (spf.explanation.n) {
        buf_add(&r->out, spf.explanation);
    } else {
        ip_print(&r->out, &r->check.ip);
        buf_printf(&r->out, " is not allowed to send mail from " STR_FMT, STR_ARG(spf.domain));
    }
    buf_add_char(&r->out, '\n');
    return 0;
}

int cli_spf(int argc, char **argv)
{
    static const struct cli_option options[] = {{"explanation", true, &explanation}};
    static const struct check_command c = {"spf", "[--explanation] ", NEEDS_CLIENT, {options, 1}, run};
    return cli_check(&c, argc, argv);
}
