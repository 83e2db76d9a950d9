/* `config check`, `config print` and `config sample`. */
#include "cli/internal.h"
#include "db/memory.h"

#include <pwd.h>
#include <stdio.h>

static const size_t text_max = (size_t)256 << 20;

static int out_text(struct buf *b, int fd)
{
    if (b->e)
        return cli_fail(EX_OSERR, "%s", err_text(b->e));
    return cli_write_all(fd, buf_str(b)) ? EX_IOERR : 0;
}

struct conf *cli_load_config(const char *file)
{
    struct conf_bundle bundle;
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    AUTO_BUF text;
    buf_init(&text, text_max);
    err e = conf_bundle_read(&bundle, file);
    if (e) {
        fprintf(stderr, "%s: error: cannot read the file: %s%s\n", file, err_text(e), cli_no_file(e));
    } else {
        e = conf_load(&c, &bundle, &errors);
        conf_errors_print(&text, &errors);
        out_text(&text, 2);
        if (e && errors.n == 0)
            fprintf(stderr, "%s: error: %s\n", file, err_text(e));
        conf_errors_free(&errors);
    }
    conf_bundle_free(&bundle);
    return c;
}

/* Only SQLite can tell whether the queries of lists can be asked. */
static bool queries(const struct conf *c, const char *file)
{
    bool ok = true;
    for (size_t i = 0; i < c->nlists; i++) {
        const struct conf_access *l = &c->lists[i];
        struct db_memory *db = NULL;
        AUTO_BUF why;
        if (!l->sqlite.n)
            continue;
        buf_init(&why, 1000);
        if (db_memory_open(&db, conf_file_text(c, l->sqlite), l->query, &why)) {
            fprintf(stderr, "%s:%d: error: list " STR_FMT ": sqlite: " STR_FMT "\n", file, l->line, STR_ARG(l->title),
                    STR_ARG(buf_str(&why)));
            ok = false;
        }
        db_memory_close(&db);
    }
    return ok;
}

static void known_user(const struct conf *c, const char *file)
{
    char name[256];
    if (c->user.n && (!str_to_c(c->user, name, sizeof name) || !getpwnam(name)))
        fprintf(stderr,
                "%s: warning: user: there is no user \"" STR_FMT
                "\" on this system; as root the server will not start\n",
                file, STR_ARG(str_sub(c->user, 0, 100)));
}

static int check(const char *file)
{
    struct conf *c = cli_load_config(file);
    if (!c)
        return 1;
    bool ok = queries(c, file);
    ok = cli_check_certificates(c, file) && ok;
    known_user(c, file);
    if (ok)
        printf("%s: ok\n", file);
    conf_drop(&c);
    return ok ? 0 : 1;
}

static int print(const char *file)
{
    AUTO_BUF text;
    struct conf *c = cli_load_config(file);
    if (!c)
        return 1;
    buf_init(&text, text_max);
    conf_print(&text, c);
    conf_drop(&c);
    return out_text(&text, 1);
}

static int sample(void)
{
    AUTO_BUF text;
    buf_init(&text, text_max);
    conf_sample(&text);
    return out_text(&text, 1);
}

int cli_config_command(int argc, char **argv)
{
    const char *file = cli_config_file(&argc, argv);
    str what = argc == 2 || argc == 3 ? str_c(argv[1]) : S("");
    if (argc == 3 && file && !str_starts(str_c(argv[2]), S("-"))) /* without -c */
        file = argv[2];
    else if (argc == 3)
        file = NULL;
    if (file && str_eq(what, S("check")))
        return check(file);
    if (file && str_eq(what, S("print")))
        return print(file);
    if (file && str_eq(what, S("sample")))
        return sample();
    return cli_fail(EX_USAGE, "usage: postrider config check|print [-c] FILE, or postrider config sample");
}
