/* Keys that the server makes itself: postrider dkim status, rotate, use; and their records, for dns and doctor. */
#include "cli/internal.h"
#include "cli/keys.h"

#include <errno.h>
#include <fcntl.h>

enum { LIST_MAX = 32 << 20 };

/* dkim.db, when it is there: nothing is made by looking. */
static err open_file(const struct conf *c, struct buf *why)
{
    char path[1024];
    if (!str_to_c(c->data_dir, path, sizeof path))
        return E_LIMIT;
    AUTO_FD dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || faccessat(dir, "dkim.db", F_OK, 0))
        return errno == ENOENT ? E_NOT_FOUND : err_from_errno(errno);
    return keys_open(dir, why);
}

int cli_kept_keys(const struct conf *c, str domain, struct arena *a, struct keys_key **ret, size_t *ret_n)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    *ret_n = 0;
    err e = open_file(c, &why);
    if (!e)
        e = keys_list(a, domain, ret, ret_n);
    keys_close();
    if (e && e != E_NOT_FOUND)
        return cli_fail(EX_NOPERM, STR_FMT "/dkim.db cannot be read: " STR_FMT "; run this as root",
                        STR_ARG(c->data_dir), STR_ARG(why.n ? buf_str(&why) : str_c(err_text(e))));
    return 0;
}

static int status_here(const struct conf *c, int argc, char **argv)
{
    AUTO_ARENA a = {0};
    AUTO_BUF out = {.max = LIST_MAX}, why = {.max = 65536};
    str words[3];
    struct keys_call call = {.conf = c, .words = words, .out = &out, .why = &why, .arena = &a};
    arena_init(&a, 65536, LIST_MAX);
    for (int i = 1; i < argc; i++)
        if (str_eq(str_c(argv[i]), S("--json")))
            call.json = true;
        else if (call.n < 3)
            words[call.n++] = str_c(argv[i]);
    err e = open_file(c, &why);
    int status = EX_OK;
    if (e && e != E_NOT_FOUND)
        status = cli_fail(EX_NOPERM, STR_FMT "/dkim.db: %s", STR_ARG(c->data_dir), err_text(e));
    else
        status = keys_command(&call);
    keys_close();
    if (cli_write_all(1, buf_str(&out)) || cli_write_all(2, buf_str(&why)))
        return EX_IOERR;
    return status;
}

int cli_dkim_kept(int argc, char **argv)
{
    int status = EX_OK;
    const char *file = cli_config_file(&argc, argv);
    if (!file)
        return cli_fail(EX_USAGE, "-c: expected the path of a configuration file behind it");
    struct conf *c = cli_conf(file, &status);
    if (!c)
        return status;
    AUTO_FD fd = cli_connect_unix(c->control_socket);
    bool here = fd < 0 && str_eq(str_c(argv[1]), S("status"));
    status = here ? status_here(c, argc, argv) : control_run(file, argc, argv, NULL, 0);
    conf_drop(&c);
    return status;
}
