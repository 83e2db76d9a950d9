/*
 * The data folder: made, locked and handed to the worker's user. Everything below it is reached from
 * descriptors that are opened here, before privileges are dropped, because a folder above may be
 * closed to that user.
 */
#include "app/app.h"
#include "net/net.h"
#include "priv/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_S 10

static err fail(struct buf *why, str dir, const char *what)
{
    int e = errno;
    buf_printf(why, STR_FMT ": %s: %s", STR_ARG(dir), what, strerror(e));
    return err_from_errno(e);
}

static int sub_folder(int at, const char *name, uid_t uid, gid_t gid)
{
    if (mkdirat(at, name, 0700) && errno != EEXIST)
        return -1;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && geteuid() == 0 && fchown(fd, uid, gid)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* An old server may still be draining: it holds the lock until its last child has ended. */
static bool take_lock(int fd)
{
    for (int tenths = 0; flock(fd, LOCK_EX | LOCK_NB); tenths++) {
        if (errno != EWOULDBLOCK || tenths == LOCK_WAIT_S * 10)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return true;
}

void folders_sign(const struct folders *f, bool ready)
{
    static int64_t start;
    char text[64];
    if (!ready)
        start = rt_wall_ms();
    int n = snprintf(text, sizeof text, "%d %lld%s\n", (int)getpid(), (long long)start, ready ? " ready" : "");
    if (ftruncate(f->lock, 0) == 0)
        (void)!pwrite(f->lock, text, (size_t)n, 0); /* only `postrider upgrade` reads it */
}

/* Files of databases, made here because each child may open its own but make none; a command may have made them as
 * root, before the first start. */
static void give_files(int at, uid_t uid, gid_t gid)
{
    static const char *const names[] = {"directory.db", "directory.db-journal",
                                        "secrets.db",   "secrets.db-journal",
                                        "reports.db",   "reports.db-journal",
                                        "sts.db",       "sts.db-journal",
                                        "dkim.db",      "dkim.db-journal",
                                        "greylist.db",  "greylist.db-journal",
                                        "counts.0",     "counts.1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int fd = openat(at, names[i], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || (geteuid() == 0 && fchown(fd, uid, gid)))
            rt_log(EV_bug, log_c(names[i]), log_c(strerror(errno)));
        if (fd >= 0)
            close(fd);
    }
    fsync(at);
}

err folders_open(struct folders *f, const struct conf *c, uid_t uid, gid_t gid, struct buf *why)
{
    *f = (struct folders){-1, -1, -1, -1, -1, -1};
    char path[1024];
    if (!str_to_c(c->data_dir, path, sizeof path)) {
        buf_add_c(why, "data-dir: the path is too long");
        return E_LIMIT;
    }
    if (mkdir(path, 0755) && errno != EEXIST)
        return fail(why, c->data_dir, "cannot make the data folder");
    f->data = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->data < 0)
        return fail(why, c->data_dir, "cannot open the data folder");
    f->lock = openat(f->data, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->lock < 0)
        return fail(why, c->data_dir, "cannot open the file lock in it");
    if (!take_lock(f->lock)) {
        buf_printf(why, STR_FMT ": another server uses this data folder (its file lock is taken)",
                   STR_ARG(c->data_dir));
        return E_EXISTS;
    }
    folders_sign(f, false);
    if (geteuid() == 0 && fchown(f->data, uid, gid))
        return fail(why, c->data_dir, "cannot give the data folder to the server's user");
    give_files(f->data, uid, gid);
    f->spool = sub_folder(f->data, "spool", uid, gid);
    f->mail = sub_folder(f->data, "mail", uid, gid);
    f->history = sub_folder(f->data, "history", uid, gid);
    f->secrets = sub_folder(f->data, "secrets", uid, gid);
    if (f->spool < 0 || f->mail < 0 || f->history < 0 || f->secrets < 0)
        return fail(why, c->data_dir, "cannot make the folders spool, mail, history and secrets in it");
    return OK;
}

/* An empty file is what a crash left of one in former times. */
static err look_for(int dir, const char *name, bool *ret_there)
{
    struct stat st;
    bool there = fstatat(dir, name, &st, 0) == 0;
    if (!there && errno != ENOENT)
        return err_from_errno(errno);
    *ret_there = there && st.st_size > 0;
    return OK;
}

/* One that is not there is fine. */
static err remove_old(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) && errno != ENOENT)
        return err_from_errno(errno);
    return fsync(dir) ? err_from_errno(errno) : OK;
}

/* The certificate comes last and goes first, each step durable before the next: where there is one, its key is beside
 * it. One of the two alone is of no use, and both are made anew. */
static err make_pair(int dir, str hostname)
{
    bool has_cert = false, has_key = false;
    err e = look_for(dir, "cert.pem", &has_cert);
    e = e ? e : look_for(dir, "key.pem", &has_key);
    if (e || (has_cert && has_key))
        return e;
    struct buf cert, key;
    buf_init(&cert, 65536);
    buf_init(&key, 65536);
    e = tls_self_signed(hostname, &cert, &key);
    e = e ? e : remove_old(dir, "cert.pem");
    e = e ? e : priv_file_write(dir, "key.pem", buf_str(&key));
    e = e ? e : priv_file_write(dir, "cert.pem", buf_str(&cert));
    if (key.p)
        explicit_bzero(key.p, key.n);
    buf_free(&cert);
    buf_free(&key);
    return e;
}

static err make_srs_secret(int dir)
{
    char text[65];
    bool there = false;
    err e = look_for(dir, "srs.secret", &there);
    if (e || there)
        return e;
    for (int i = 0; i < 64; i++)
        text[i] = "0123456789abcdef"[rt_random_below(16)];
    text[64] = '\n';
    return priv_file_write(dir, "srs.secret", (str){text, sizeof text});
}

void secret_path(const struct conf *c, const char *name, char *out, size_t size)
{
    snprintf(out, size, STR_FMT "/secrets/%s", STR_ARG(c->data_dir), name);
}

err bundle_complete(struct conf_bundle *b, const struct conf *c)
{
    static const struct {
        const char *name;
        bool secret;
    } own[] = {{"cert.pem", false}, {"key.pem", true}, {"srs.secret", true}, {"acme.crt", false}, {"acme.key", true}};
    char path[1200];
    err e = conf_bundle_add(b, S("/etc/resolv.conf"));
    if (!e)
        e = conf_bundle_add(b, S("/etc/hosts"));
    if (!e)
        e = conf_bundle_add(b, S(ROOT_ANCHOR));
    for (size_t i = 0; i < sizeof own / sizeof *own && !e; i++) {
        secret_path(c, own[i].name, path, sizeof path);
        e = own[i].secret ? conf_bundle_add_secret(b, str_c(path)) : conf_bundle_add(b, str_c(path));
        if (str_starts(str_c(own[i].name), S("acme")))
            conf_bundle_watch(b, str_c(path)); /* the keeper writes them */
        err bad = b->v[b->n - 1].e;
        if (!e && bad &&
            bad != E_NOT_FOUND) /* it is there: children with half of the files would die again and again */
            e = bad;
    }
    return e;
}

err secrets_make(const struct folders *f, const struct conf *c, struct buf *why)
{
    int dir = f->secrets;
    /* By a process of its own, so that nothing of a key is left in the memory that the worker inherits. */
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        err failed = make_pair(dir, c->hostname);
        failed = failed ? failed : make_srs_secret(dir);
        _exit((int)failed);
    }
    err e = OK;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) >= ERR_COUNT)
        e = E_UNKNOWN;
    else
        e = (err)WEXITSTATUS(status);
    if (e)
        buf_printf(why, STR_FMT "/secrets: cannot write a first certificate or secret: %s", STR_ARG(c->data_dir),
                   err_text(e));
    return e;
}
