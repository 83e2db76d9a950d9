/* `why`: asked of the running server; without one, of the history's files. */
#include "cli/internal.h"

#include <fcntl.h>
#include <stdio.h>

struct question {
    str what;
    uint64_t limit;
    bool json;
};

/* The few options again, for when there is no server to parse them. */
static bool parse(struct question *q, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        str s = str_c(argv[i]);
        if (str_eq(s, S("--json")))
            q->json = true;
        else if (str_eq(s, S("--limit")) && i + 1 < argc && text_u64(str_c(argv[i + 1]), &q->limit))
            i++;
        else if (str_starts(s, S("-")) || q->what.n)
            return false;
        else
            q->what = s;
    }
    return q->what.n > 0;
}

static int tell(const struct conf *c, const struct question *q)
{
    AUTO_BUF out;
    AUTO_FD dir = open(c->data_dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    buf_init(&out, (size_t)256 << 20);
    err e = dir < 0 ? E_NOT_FOUND : ctl_why_offline(&out, dir, "history", q->what, q->limit, q->json);
    if (e == E_SYNTAX)
        return cli_fail(EX_USAGE, "expected a message id of 13 characters or an address, found \"" STR_FMT "\"",
                        STR_ARG(q->what));
    if (e == E_NOT_FOUND)
        return cli_fail(1, "no server runs, and the history knows nothing about " STR_FMT, STR_ARG(q->what));
    if (e)
        return cli_fail(1, "the story cannot be told: %s", err_text(e));
    return cli_write_all(1, buf_str(&out)) ? EX_IOERR : EX_OK;
}

int cli_why(int argc, char **argv)
{
    int status = EX_OK;
    struct question q = {0};
    const char *file = cli_config_file(&argc, argv);
    if (!file || !parse(&q, argc, argv))
        return cli_fail(EX_USAGE, "usage: postrider why ID|ADDRESS [--limit N] [--json] -c FILE");
    struct conf *c = cli_conf(file, &status);
    if (!c)
        return status;
    AUTO_FD fd = cli_connect_unix(c->control_socket);
    status = fd >= 0 ? control_run(file, argc, argv, NULL, 0) : tell(c, &q);
    conf_drop(&c);
    return status;
}
