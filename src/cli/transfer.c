/*
 * `queue export` and `queue import`: messages into files and back, one control request a message.
 *
 * A folder holds ID.message for each message; a file is written under another name, synced and then
 * renamed, so that what has this name is whole. An import gives a file its new id by renaming it to
 * ID.NEWID.message before anything is sent, and to ID.NEWID.message.done when the server has it on
 * stable storage: repeated after an interruption it asks the server for NEWID first.
 */
#include "cli/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { BUSY_WAIT_MS = 60 * 1000, BUSY_STEP_MS = 300 };
#define SUFFIX ".message"

static int sync_failed(const struct transfer *t, const char *name)
{
    return cli_fail(EX_IOERR, "%s/%s: %s", t->folder, name, strerror(errno));
}

/* ---- files ---- */

int transfer_create(struct transfer *t)
{
    t->fd = openat(t->dir, ".new" SUFFIX, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return t->fd < 0 ? sync_failed(t, ".new" SUFFIX) : EX_OK;
}

int transfer_finish(struct transfer *t, const char *id)
{
    char name[64];
    snprintf(name, sizeof name, "%s" SUFFIX, id);
    bool bad = fsync(t->fd) != 0;
    close(t->fd);
    t->fd = -1;
    if (bad || renameat(t->dir, ".new" SUFFIX, t->dir, name) || fsync(t->dir))
        return sync_failed(t, name);
    t->done++;
    return EX_OK;
}

void transfer_discard(struct transfer *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    unlinkat(t->dir, ".new" SUFFIX, 0);
}

static bool have_file(const struct transfer *t, const char *id)
{
    char name[64];
    snprintf(name, sizeof name, "%s" SUFFIX, id);
    return faccessat(t->dir, name, F_OK, 0) == 0;
}

int transfer_report(const struct transfer *t, const char *what)
{
    if (t->json)
        printf("{\"%s\":%llu,\"skipped\":%llu,\"failed\":%llu}\n", what, (unsigned long long)t->done,
               (unsigned long long)t->skipped, (unsigned long long)t->failed);
    else
        printf("%s: %llu, skipped: %llu, failed: %llu\n", what, (unsigned long long)t->done,
               (unsigned long long)t->skipped, (unsigned long long)t->failed);
    return fflush(stdout) ? EX_IOERR : t->failed ? 1 : EX_OK;
}

/* ---- requests ---- */

/* The whole answer into `out` (may be NULL) or, with `fd`, into a file; error texts go to stderr unless `quiet`. */
static int ask(const struct transfer *t, const str *words, size_t n, struct buf *out, int fd, bool quiet)
{
    struct control c;
    str text;
    bool error;
    int status;
    err e = control_open(&c, t->conf->control_socket, words, n);
    if (e)
        return cli_fail(EX_UNAVAILABLE, "no server answers at " STR_FMT, STR_ARG(t->conf->control_socket));
    while (control_next(&c, &text, &error, &status)) {
        if (error && !quiet)
            cli_write_all(2, text);
        else if (!error && fd >= 0 && cli_write_all(fd, text))
            status = cli_fail(EX_IOERR, "%s: %s", t->folder, strerror(errno));
        else if (!error && out)
            buf_add(out, text);
    }
    control_close(&c);
    if (out && out->e)
        return cli_fail(EX_OSERR, "%s", err_text(out->e));
    return status < 0 ? cli_fail(EX_UNAVAILABLE, "the server closed the connection before its answer was complete")
                      : status;
}

static int ask_words(const struct transfer *t, const char *const *v, struct buf *out, int fd, bool quiet)
{
    str words[8];
    size_t n = 0;
    for (; n < 8 && v[n]; n++)
        words[n] = str_c(v[n]);
    return ask(t, words, n, out, fd, quiet);
}

/* ---- export from a running server ---- */

static int export_once(struct transfer *t, const char *id)
{
    bool had = t->take && have_file(t, id);
    int status = transfer_create(t);
    if (status)
        return status;
    const char *const words[] = {"queue", "export-one", id, t->take ? "--hold" : NULL, had ? "--had" : NULL, NULL};
    status = ask_words(t, words, NULL, t->fd, true);
    if (status == EX_OK)
        status = transfer_finish(t, id);
    else
        transfer_discard(t);
    return status;
}

static void export_one(struct transfer *t, const char *id)
{
    int64_t until = cli_now_ms() + BUSY_WAIT_MS;
    int status = export_once(t, id);
    while (status == EXIT_BUSY && cli_now_ms() < until) {
        nanosleep(&(struct timespec){.tv_nsec = BUSY_STEP_MS * 1000000L}, NULL);
        status = export_once(t, id);
    }
    if (status == EXIT_BUSY)
        cli_fail(0, "%s: it is still being delivered", id);
    if (status == EXIT_GONE || status == EXIT_SAME)
        t->skipped++;
    else if (status)
        t->failed++;
    if (t->take && (status == EX_OK || status == EXIT_SAME) &&
        ask_words(t, (const char *const[]){"queue", "remove", id, NULL}, NULL, -1, false))
        t->failed++;
}

static int export_running(struct transfer *t, const str *filters, size_t n)
{
    AUTO_BUF ids;
    str words[64] = {S_INIT("queue"), S_INIT("list"), S_INIT("--ids")};
    buf_init(&ids, (size_t)1 << 30);
    if (n > 60)
        return cli_fail(EX_USAGE, "too many options");
    if (n)
        memcpy(&words[3], filters, n * sizeof *words);
    int status = ask(t, words, n + 3, &ids, -1, false);
    if (status)
        return status;
    str rest = buf_str(&ids), one;
    char id[32];
    while (rest.n && str_cut(&rest, '\n', &one))
        if (one.n && str_to_c(one, id, sizeof id))
            export_one(t, id);
    return transfer_report(t, "exported");
}

/* ---- the command lines ---- */

static int open_folder(struct transfer *t, bool make)
{
    if (make && mkdir(t->folder, 0700) && errno != EEXIST)
        return cli_fail(EX_CANTCREAT, "%s: %s", t->folder, strerror(errno));
    t->dir = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return t->dir < 0 ? cli_fail(EX_NOINPUT, "%s: %s", t->folder, strerror(errno)) : EX_OK;
}

/* argv: "queue", "export" or "import", FOLDER, options. What is neither --json nor --remove is left in rest. */
static int begin(struct transfer *t, int argc, char **argv, str *rest, size_t *ret_n, bool make)
{
    const char *file = cli_config_file(&argc, argv);
    int status = EX_OK;
    *t = (struct transfer){.dir = -1, .fd = -1};
    for (int i = 2; i < argc; i++) {
        str s = str_c(argv[i]);
        if (str_eq(s, S("--json")))
            t->json = true;
        else if (str_eq(s, S("--remove")) && make)
            t->take = true;
        else if (!t->folder && !str_starts(s, S("-")))
            t->folder = argv[i];
        else
            rest[(*ret_n)++] = s;
    }
    if (!file || !t->folder)
        return cli_fail(EX_USAGE, "usage: postrider queue %s FOLDER -c FILE", make ? "export" : "import");
    t->conf = cli_conf(file, &status);
    return t->conf ? open_folder(t, make) : status;
}

static void end(struct transfer *t)
{
    if (t->dir >= 0)
        close(t->dir);
    conf_drop(&t->conf);
}

int cli_export(int argc, char **argv)
{
    struct transfer t;
    size_t n = 0;
    str *rest = calloc((size_t)argc + 1, sizeof *rest);
    int status = rest ? begin(&t, argc, argv, rest, &n, true) : EX_OSERR;
    if (status == EX_OK) {
        int fd = cli_connect_unix(t.conf->control_socket);
        if (fd >= 0) {
            close(fd);
            status = export_running(&t, rest, n);
        } else if (n) {
            status = cli_fail(EX_UNAVAILABLE, "filters need a running server, and none answers at " STR_FMT,
                              STR_ARG(t.conf->control_socket));
        } else {
            status = transfer_stopped(&t);
        }
    }
    if (rest)
        end(&t);
    free(rest);
    return status;
}

/* ---- import ---- */

/* The file as frames, and the empty one behind them. */
static bool upload(int from, int to)
{
    char *p = malloc(4 + CTL_FRAME_MAX);
    ssize_t n = -1;
    bool ok = p != NULL;
    while (ok && n != 0) {
        n = read(from, p + 4, CTL_FRAME_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        ok = n >= 0;
        for (int i = 0; i < 4 && ok; i++)
            p[i] = (char)((uint32_t)n >> (8 * i));
        ok = ok && cli_write_all(to, str_mem(p, (size_t)n + 4)) == OK;
    }
    free(p);
    return ok;
}

static int send_file(const struct transfer *t, const char *name, const char *id)
{
    const str words[] = {S("queue"), S("import-one"), str_c(id)};
    struct control c;
    str text;
    bool error;
    int status;
    AUTO_FD fd = openat(t->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return cli_fail(EX_NOINPUT, "%s/%s: %s", t->folder, name, strerror(errno));
    err e = control_open(&c, t->conf->control_socket, words, 3);
    if (e)
        return cli_fail(EX_UNAVAILABLE, "no server answers at " STR_FMT, STR_ARG(t->conf->control_socket));
    upload(fd, c.fd); /* when the server refuses in the middle, its answer says why */
    while (control_next(&c, &text, &error, &status))
        if (error) {
            fprintf(stderr, "%s/%s: ", t->folder, name);
            cli_write_all(2, text);
        }
    control_close(&c);
    return status < 0 ? EX_UNAVAILABLE : status;
}

/* "OLD.message" or "OLD.NEW.message": the two ids; *ret_new is empty for the first form. */
static bool parse_name(const char *name, char old[32], char new[32])
{
    str s = str_c(name), first;
    uint64_t id;
    if (!str_ends(s, S(SUFFIX)))
        return false;
    s.n -= sizeof SUFFIX - 1;
    str_cut(&s, '.', &first);
    new[0] = 0;
    return rt_id_parse(first, &id) && str_to_c(first, old, 32) &&
           (s.n == 0 || (rt_id_parse(s, &id) && str_to_c(s, new, 32)));
}

static int rename_to(const struct transfer *t, const char *from, const char *to)
{
    return renameat(t->dir, from, t->dir, to) || fsync(t->dir) ? sync_failed(t, from) : EX_OK;
}

/* Gives the file an id of the server. */
static int take_id(const struct transfer *t, const char *name, const char *old, char new[32], char *ret_name,
                   size_t size)
{
    AUTO_BUF out;
    buf_init(&out, 64);
    int status = ask_words(t, (const char *const[]){"queue", "new-id", NULL}, &out, -1, false);
    if (status == EX_OK && !str_to_c(str_trim(buf_str(&out)), new, 32))
        status = EX_PROTOCOL;
    snprintf(ret_name, size, "%s.%s" SUFFIX, old, new);
    return status ? status : rename_to(t, name, ret_name);
}

static void import_file(struct transfer *t, const char *name)
{
    char old[32], new[32], now[128], done[160];
    int status = EX_OK;
    bool known = false;
    if (!parse_name(name, old, new))
        return;
    snprintf(now, sizeof now, "%s", name);
    if (new[0]) {
        status = ask_words(t, (const char *const[]){"queue", "has", new, NULL}, NULL, -1, false);
        known = status == EXIT_OK;
        status = status == EXIT_GONE ? EX_OK : status;
    } else {
        status = take_id(t, name, old, new, now, sizeof now);
    }
    if (status == EX_OK && !known)
        status = send_file(t, now, new);
    snprintf(done, sizeof done, "%s.done", now);
    if (status == EX_OK)
        status = rename_to(t, now, done);
    if (status)
        t->failed++;
    else if (known)
        t->skipped++;
    else
        t->done++;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Names first: the folder changes while files are renamed. */
static char **names(const struct transfer *t, size_t *ret_n)
{
    size_t n = 0, cap = 0;
    char **v = NULL;
    int fd = dup(t->dir);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (n == cap) {
            cap = cap ? cap * 2 : 256;
            char **more = reallocarray(v, cap, sizeof *v);
            if (!more)
                break;
            v = more;
        }
        v[n] = strdup(e->d_name);
        n += v[n] != NULL;
    }
    if (d)
        closedir(d);
    if (n)
        qsort(v, n, sizeof *v, by_name);
    *ret_n = n;
    return v;
}

int cli_import(int argc, char **argv)
{
    struct transfer t;
    size_t n = 0, files = 0;
    str *rest = calloc((size_t)argc + 1, sizeof *rest);
    int status = rest ? begin(&t, argc, argv, rest, &n, false) : EX_OSERR;
    if (status == EX_OK && n)
        status = cli_fail(EX_USAGE, "usage: postrider queue import FOLDER -c FILE");
    if (status == EX_OK) {
        char **v = names(&t, &files);
        for (size_t i = 0; i < files; i++) {
            import_file(&t, v[i]);
            free(v[i]);
        }
        free(v);
        status = transfer_report(&t, "imported");
    }
    if (rest)
        end(&t);
    free(rest);
    return status;
}
