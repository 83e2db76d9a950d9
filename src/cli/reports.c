/* `postrider reports`: what the server has received, asked of it, or read from its file when none runs; and `reports
 * read`, files of reports as a person reads them. */
#include "cli/internal.h"
#include "wire/findings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { INPUT_MAX = 64 << 20, UNPACKED_MAX = 64 << 20, READ_MAX = 256 << 20 };

static bool json;

static int read_one(FILE *from, const char *name)
{
    AUTO_BUF in = {.max = INPUT_MAX}, text = {.max = UNPACKED_MAX}, out = {.max = READ_MAX};
    AUTO_ARENA a = {0};
    struct enclosed got;
    struct findings r;
    arena_init(&a, 65536, READ_MAX);
    err e = cli_read_all(fileno(from), &in);
    if (!e)
        e = enclosed_open(buf_str(&in), &text, &got);
    if (e == E_NOT_FOUND) {
        buf_clear(&text);
        e = enclosed_find(buf_str(&in), &text, &got);
    }
    if (!e)
        e = findings_read(&got, &a, &r);
    if (e == E_NOT_FOUND || e == E_SYNTAX)
        return cli_fail(
            EX_DATAERR,
            "%s: this is no report: expected XML, JSON, gzip or ZIP, or a message with one or with a complaint", name);
    if (e)
        return cli_fail(EX_DATAERR, "%s: this report cannot be read: %s", name, err_text(e));
    if (json)
        findings_json(&out, &r);
    else
        findings_text(&out, &r);
    if (json)
        buf_add_char(&out, '\n');
    return out.e || cli_write_all(1, buf_str(&out)) ? EX_IOERR : EX_OK;
}

static int read_path(const char *path, int depth);

/* A folder of messages, or a Maildir: what is no report in it is passed over. */
static int read_folder(DIR *d, const char *path, int depth)
{
    int status = EX_NOINPUT;
    struct dirent *f;
    char inner[2048];
    while ((f = readdir(d))) {
        int n = snprintf(inner, sizeof inner, "%s/%s", path, f->d_name);
        if (f->d_name[0] != '.' && n > 0 && (size_t)n < sizeof inner && read_path(inner, depth + 1) == EX_OK)
            status = EX_OK;
    }
    closedir(d);
    return status;
}

static int read_path(const char *path, int depth)
{
    DIR *d = depth < 3 ? opendir(path) : NULL;
    if (d)
        return read_folder(d, path, depth);
    FILE *f = fopen(path, "re");
    int status = f ? read_one(f, path) : cli_fail(EX_NOINPUT, "%s: cannot be opened", path);
    if (f)
        fclose(f);
    return status;
}

static int read_files(int argc, char **argv)
{
    int status = EX_OK, n = 0;
    for (int i = 2; i < argc; i++) {
        if (str_eq(str_c(argv[i]), S("--json"))) {
            json = true;
            continue;
        }
        argv[2 + n++] = argv[i];
    }
    if (n == 0)
        return read_one(stdin, "standard input");
    for (int i = 2; i < 2 + n; i++) {
        int one = read_path(argv[i], 0);
        status = one ? one : status;
    }
    return status;
}

/* ---- without a server -------------------------------------------------------------------------------------------- */

enum { WORDS_MAX = 20, ANSWER_MAX = 256 << 20 };

static cli_reports_fn *answer_here;

void cli_reports_here(cli_reports_fn *fn) { answer_here = fn; }

/* Nothing is made by looking: without reports.db there are no reports. */
static int open_folder(const struct conf *c, int *ret_dir)
{
    char path[1024];
    if (!str_to_c(c->data_dir, path, sizeof path))
        return cli_fail(EX_CONFIG, "the path of data-dir is too long");
    *ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir >= 0 && faccessat(*ret_dir, "reports.db", R_OK | W_OK, 0) == 0)
        return EX_OK;
    return cli_fail(errno == ENOENT ? EX_NOINPUT : EX_NOPERM,
                    "no server answers, and %s/reports.db cannot be opened: %s", path, strerror(errno));
}

static int without_server(const struct conf *c, int argc, char **argv)
{
    AUTO_FD dir = -1;
    AUTO_BUF out = {.max = ANSWER_MAX}, why = {.max = 65536};
    str words[WORDS_MAX];
    size_t n = 0;
    bool as_json = false;
    int status = open_folder(c, &dir);
    for (int i = 1; i < argc && n < WORDS_MAX; i++)
        if (str_eq(str_c(argv[i]), S("--json")))
            as_json = true;
        else
            words[n++] = str_c(argv[i]);
    if (status)
        return status;
    status = answer_here(dir, words, n, as_json, &out, &why);
    if (why.n)
        buf_add_char(&why, '\n');
    return cli_write_all(1, buf_str(&out)) || cli_write_all(2, buf_str(&why)) ? EX_IOERR : status;
}

int cli_reports(int argc, char **argv)
{
    const char *file = cli_config_file(&argc, argv);
    if (!file)
        return cli_fail(EX_USAGE, "-c: expected the path of a configuration file behind it");
    if (argc > 1 && str_eq(str_c(argv[1]), S("read")))
        return read_files(argc, argv);
    int status = EX_OK;
    struct conf *c = cli_conf(file, &status);
    if (!c)
        return status;
    AUTO_FD fd = cli_connect_unix(c->control_socket);
    bool here = fd < 0 && answer_here && (errno == ENOENT || errno == ECONNREFUSED);
    status = here ? without_server(c, argc, argv) : control_run(file, argc, argv, NULL, 0);
    conf_drop(&c);
    return status;
}
