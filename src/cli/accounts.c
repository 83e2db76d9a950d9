/*
 * domain, user, alias, credential: asked of the running server, else done here with the lock of the data folder held.
 * Passwords and files to import are read here.
 */
#include "cli/internal.h"
#include "directory/directory.h"
#include "priv/priv.h"
#include "rt/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { WAIT_MS = 10000, PART = 512 * 1024, IMPORT_MAX = 512 * 1024 * 1024 };

struct call {
    const char *file;
    struct conf *conf;
    str *words;
    size_t n;
    struct buf secret, import;
    bool json, imports;
};

static bool is(const char *arg, const char *word) { return str_eq(str_c(arg), str_c(word)); }

/* One line of stdin, without its end. */
static int read_password(struct call *c)
{
    buf_init(&c->secret, 4096);
    err e = cli_read_all(0, &c->secret);
    if (e)
        return cli_fail(EX_USAGE, "the password cannot be read from stdin: %s", err_text(e));
    str s = buf_str(&c->secret), line;
    if (!str_cut(&s, '\n', &line) || (s.p && str_trim(s).n))
        return cli_fail(EX_USAGE, "expected one line with the password on stdin");
    if (str_ends(line, S("\r")))
        line = str_sub(line, 0, line.n - 1);
    if (!line.n)
        return cli_fail(EX_USAGE, "expected a password on stdin, found an empty line");
    c->words[c->n++] = S("--secret");
    c->words[c->n++] = line;
    return EX_OK;
}

static int read_import(struct call *c, const char *path)
{
    AUTO_FD fd = path && !is(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(0);
    if (fd < 0)
        return cli_fail(EX_NOINPUT, "%s: %s", path ? path : "stdin", strerror(errno));
    buf_init(&c->import, IMPORT_MAX);
    err e = cli_read_all(fd, &c->import);
    return e ? cli_fail(EX_IOERR, "%s: %s", path ? path : "stdin", err_text(e)) : EX_OK;
}

static int take_words(struct call *c, int argc, char **argv)
{
    const char *path = NULL;
    bool secret = false;
    c->words = calloc((size_t)argc + 8, sizeof *c->words);
    if (!c->words)
        return cli_fail(EX_OSERR, "out of memory");
    c->imports = argc > 1 && (is(argv[1], "import") || (is(argv[1], "--json") && argc > 2 && is(argv[2], "import")));
    for (int i = 0; i < argc; i++) {
        if (is(argv[i], "--json"))
            c->json = true;
        else if (is(argv[i], "--password-stdin"))
            secret = true;
        else if (is(argv[i], "--secret"))
            return cli_fail(EX_USAGE, "a password on the command line can be seen by everybody: use --password-stdin");
        else if (c->imports && c->n == 2)
            path = argv[i];
        else
            c->words[c->n++] = str_c(argv[i]);
    }
    if (c->imports)
        return read_import(c, path);
    return secret ? read_password(c) : EX_OK;
}

/* ---- with a server ---- */

static int copy_answer(struct control *k)
{
    str text;
    bool error;
    int status;
    while (control_next(k, &text, &error, &status))
        if (cli_write_all(error ? 2 : 1, text))
            return EX_IOERR;
    return status < 0 ? cli_fail(EX_UNAVAILABLE, "the server closed the connection before its answer was complete")
                      : status;
}

/* False: no server answers there. */
static bool ask_server(struct call *c, int *ret_status)
{
    struct control k;
    if (c->json)
        c->words[c->n] = S("--json");
    err e = control_open(&k, c->conf->control_socket, c->words, c->n + c->json);
    if (e == E_REFUSED && (errno == ENOENT || errno == ECONNREFUSED))
        return false;
    if (e)
        *ret_status = cli_fail(e == E_REFUSED ? EX_NOPERM : EX_USAGE, STR_FMT ": %s", STR_ARG(c->conf->control_socket),
                               e == E_REFUSED ? strerror(errno) : err_text(e));
    else
        *ret_status = copy_answer(&k);
    if (!e)
        control_close(&k);
    return true;
}

/* ---- without one ---- */

static int run_here(struct call *c)
{
    AUTO_ARENA mem = {0};
    AUTO_BUF out = {0};
    AUTO_BUF why = {0};
    arena_init(&mem, 65536, (size_t)1 << 30);
    mem.secret = true;
    buf_init(&out, (size_t)1 << 30);
    buf_init(&why, 1 << 20);
    struct directory_call d = {
        .conf = c->conf, .words = c->words, .n = c->n, .json = c->json, .out = &out, .why = &why, .arena = &mem};
    int status = directory_command(&d);
    if (cli_write_all(1, buf_str(&out)) || cli_write_all(2, buf_str(&why)))
        return EX_IOERR;
    return status;
}

static void give_back(int dir)
{
    struct stat st;
    static const char *const names[] = {"directory.db", "directory.db-journal", "secrets.db", "secrets.db-journal",
                                        "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names && geteuid() == 0 && fstat(dir, &st) == 0; i++)
        if (fchownat(dir, names[i], st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) && errno != ENOENT)
            cli_fail(0, "%s: %s", names[i], strerror(errno));
}

/* The data folder and its lock; -1 with errno EWOULDBLOCK: a server has it. */
static int lock_folder(const struct conf *c, int *ret_dir)
{
    char path[1024];
    if (!str_to_c(c->data_dir, path, sizeof path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (mkdir(path, 0755) && errno != EEXIST)
        return -1;
    *ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir < 0)
        return -1;
    int fd = openat(*ret_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        close(*ret_dir);
        *ret_dir = -1;
        errno = EWOULDBLOCK;
        return -1;
    }
    return fd;
}

static int with_folder(struct call *c, int dir)
{
    char mem[600];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    err e = directory_open(dir, &why);
    if (!e)
        e = priv_secrets_open(dir, &why);
    int status = e ? cli_fail(EX_IOERR, STR_FMT ": the directory cannot be opened: " STR_FMT,
                              STR_ARG(c->conf->data_dir), STR_ARG(buf_str(&why)))
                   : run_here(c);
    directory_close();
    priv_secrets_close();
    give_back(dir);
    return status;
}

/* One request: by the server, or here; a server that is starting or ending is waited for. */
static int once(struct call *c)
{
    int status = 0;
    for (int64_t until = cli_now_ms() + WAIT_MS;;) {
        AUTO_FD dir = -1;
        if (ask_server(c, &status))
            return status;
        AUTO_FD lock = lock_folder(c->conf, &dir);
        if (lock >= 0)
            return with_folder(c, dir);
        if (errno != EWOULDBLOCK)
            return cli_fail(EX_NOINPUT, STR_FMT ": %s", STR_ARG(c->conf->data_dir), strerror(errno));
        if (cli_now_ms() > until)
            return cli_fail(EX_TEMPFAIL, STR_FMT ": a server uses this folder but does not answer; try again",
                            STR_ARG(c->conf->data_dir));
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}

/* Whole lines, as many as fit a request. */
static int import_parts(struct call *c)
{
    str rest = buf_str(&c->import);
    size_t n = c->n;
    uint64_t line = 1;
    int status = EX_OK;
    while (rest.n && status == EX_OK) {
        str part = str_sub(rest, 0, PART);
        size_t end = part.n < rest.n ? str_rfind(part, '\n') : part.n - 1;
        char number[24];
        if (end == STR_NONE)
            return cli_fail(EX_DATAERR, "line %llu is too long", (unsigned long long)line);
        part = str_sub(part, 0, end + 1);
        snprintf(number, sizeof number, "%llu", (unsigned long long)line);
        c->n = n;
        c->words[c->n++] = S("--line");
        c->words[c->n++] = str_c(number);
        c->words[c->n++] = S("--text");
        c->words[c->n++] = part;
        status = once(c);
        for (size_t i = 0; i < part.n; i++)
            line += part.p[i] == '\n';
        rest = str_skip(rest, part.n);
    }
    return status;
}

int cli_accounts(int argc, char **argv)
{
    struct call c = {.file = cli_config_file(&argc, argv)};
    int status = EX_OK;
    if (!c.file)
        return cli_fail(EX_USAGE, "-c: expected the path of a configuration file behind it");
    rt_log_setup(LOG_WARNING, false, 2);
    c.conf = cli_conf(c.file, &status);
    if (c.conf)
        status = take_words(&c, argc, argv);
    if (c.conf && status == EX_OK)
        status = c.imports ? import_parts(&c) : once(&c);
    if (c.secret.p)
        OPENSSL_cleanse(c.secret.p, c.secret.n);
    if (c.import.p)
        OPENSSL_cleanse(c.import.p, c.import.n);
    buf_free(&c.secret);
    buf_free(&c.import);
    free(c.words);
    conf_drop(&c.conf);
    return status;
}
