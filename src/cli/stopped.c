/*
 * `queue export` from the spool of a stopped server: the spool is opened as the server would, so
 * that damage is put aside and states are what recovery finds. And `spool dump`.
 */
#include "base/codec.h"
#include "cli/transfer.h"
#include "rt/rt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

struct found {
    uint64_t id;
    struct rcpt_status *state; /* of all recipients in the envelope */
    uint32_t n;
};
struct stopped {
    struct transfer *t;
    struct spool *spool;
    struct arena arena;
    struct found *v;
    size_t n, cap;
    bool nomem;
};

static void found(void *arg, const struct envelope *env, const struct rcpt_status *state)
{
    struct stopped *x = arg;
    bool waits = false;
    for (uint32_t i = 0; i < env->nto; i++)
        waits |= state[i].state == RCPT_WAITING;
    if (!waits) /* only a report is owed, which is ours to give */
        return;
    if (x->n == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 256;
        struct found *v = reallocarray(x->v, cap, sizeof *v);
        x->nomem |= !v;
        if (!v)
            return;
        x->v = v;
        x->cap = cap;
    }
    struct rcpt_status *s = arena_array(&x->arena, env->nto, sizeof *s);
    x->nomem |= !s;
    for (uint32_t i = 0; s && i < env->nto; i++) {
        s[i] = state[i];
        s[i].reply = arena_str(&x->arena, state[i].reply);
    }
    if (s)
        x->v[x->n++] = (struct found){env->id, s, env->nto};
}

static err write_message(struct stopped *x, const struct found *f, struct spool_reader *r) YIELDS;
static err write_message(struct stopped *x, const struct found *f, struct spool_reader *r)
{
    AUTO_BUF head;
    uint32_t n = 0, crc = 0;
    uint64_t left = r->env.head_size + r->env.body_size;
    struct rcpt_status *state = arena_array(&r->arena, r->env.nto, sizeof *state);
    if (!state || f->n != r->env.nto)
        return E_NOMEM;
    for (uint32_t i = 0; i < f->n; i++)
        if (f->state[i].state == RCPT_WAITING) {
            r->env.to[n] = r->env.to[i];
            state[n++] = f->state[i];
        }
    r->env.nto = n;
    buf_init(&head, CTL_EXPORT_HEAD_MAX);
    err e = ctl_export_head(&head, &r->env, state);
    if (!e)
        e = cli_write_all(x->t->fd, buf_str(&head));
    while (!e && left) {
        str piece;
        e = spool_read_next(r, &piece);
        if (!e && piece.n == 0)
            e = E_CORRUPT;
        piece = str_sub(piece, 0, e ? 0 : left);
        crc = crc32c(crc, piece.p, piece.n);
        left -= piece.n;
        if (!e)
            e = cli_write_all(x->t->fd, piece);
    }
    char end[4];
    for (int i = 0; i < 4; i++)
        end[i] = (char)(crc >> (8 * i));
    return e ? e : cli_write_all(x->t->fd, str_mem(end, sizeof end));
}

/* The message's file is on disk: its records may go. */
static err forget(struct stopped *x, const struct found *f) YIELDS;
static err forget(struct stopped *x, const struct found *f)
{
    struct result *r = arena_array(&x->arena, f->n, sizeof *r);
    struct spool_group *g = arena_new(&x->arena, struct spool_group);
    uint32_t n = 0, owed = 0;
    if (!r || !g)
        return E_NOMEM;
    for (uint32_t i = 0; i < f->n; i++)
        if (f->state[i].state == RCPT_WAITING)
            r[n++] = (struct result){.rcpt = i, .outcome = OUT_REMOVED, .reply = S("exported")};
        else
            owed += f->state[i].state == RCPT_UNTOLD;
    spool_group_init(g);
    err e = spool_group_results(g, f->id, r, n);
    if (!e && !owed)
        e = spool_group_end(g, f->id);
    if (!e)
        e = spool_put(x->spool, g);
    spool_group_free(g);
    return e;
}

static void export_one(struct stopped *x, const struct found *f) YIELDS;
static void export_one(struct stopped *x, const struct found *f)
{
    char id[32] = "";
    struct buf b;
    struct spool_reader *r = malloc(sizeof *r);
    buf_init_fixed(&b, id, sizeof id - 1);
    rt_id_text(&b, f->id);
    err e = r ? spool_read_open(r, x->spool, f->id, NULL) : E_NOMEM;
    bool open = !e;
    if (!e)
        e = transfer_create(x->t) ? E_IO : write_message(x, f, r);
    if (open)
        spool_read_close(r);
    free(r);
    if (e)
        transfer_discard(x->t);
    else if (transfer_finish(x->t, id))
        e = E_IO;
    if (!e && x->t->take)
        e = forget(x, f);
    if (e) {
        cli_fail(0, "%s: %s", id, err_text(e));
        x->t->failed++;
    }
}

static void export_all(void *arg, int index)
{
    struct stopped *x = arg;
    for (size_t i = 0; i < x->n && index == 0; i++)
        export_one(x, &x->v[i]);
    rt_stop();
}

/* Files that root made while it looked belong to the server's user again. */
static void give_back(int dir)
{
    struct stat st;
    if (geteuid() != 0 || fstat(dir, &st))
        return;
    int fd = dup(dir);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && fchownat(dir, e->d_name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW))
            cli_fail(0, "%s: %s", e->d_name, strerror(errno));
    if (d)
        closedir(d);
}

/* The spool's folder, and the lock of the data folder, so that no server starts meanwhile. */
static int open_spool(const struct conf *c, bool lock, int *ret_spool, int *ret_lock)
{
    char path[3000];
    snprintf(path, sizeof path, STR_FMT "/spool", STR_ARG(c->data_dir));
    *ret_spool = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_spool < 0)
        return cli_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
    if (!lock)
        return EX_OK;
    snprintf(path, sizeof path, STR_FMT "/lock", STR_ARG(c->data_dir));
    *ret_lock = open(path, O_RDWR | O_CLOEXEC);
    if (*ret_lock < 0)
        return cli_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
    if (flock(*ret_lock, LOCK_EX | LOCK_NB))
        return cli_fail(EX_TEMPFAIL, STR_FMT ": a server uses this folder but does not answer; try again",
                        STR_ARG(c->data_dir));
    return EX_OK;
}

static int export_spool(struct stopped *x, int dir)
{
    const struct conf *c = x->t->conf;
    const struct spool_config sc = {.dir = dir, .segment_size = (uint64_t)c->spool_segment_size, .spare = 4};
    err e = spool_open(&x->spool, &sc, found, x);
    if (e)
        return cli_fail(EX_IOERR, "the spool cannot be opened: %s", err_text(e));
    if (x->nomem)
        e = E_NOMEM;
    if (!e)
        e = rt_run(&(struct rt_start){.nloops = 1, .npool = 2, .init = export_all, .arg = x, .drain = RT_NEVER / 2});
    spool_close(&x->spool);
    give_back(dir);
    return e ? cli_fail(EX_OSERR, "%s", err_text(e)) : transfer_report(x->t, "exported");
}

int transfer_stopped(struct transfer *t)
{
    struct stopped x = {.t = t};
    AUTO_FD dir = -1;
    AUTO_FD lock = -1;
    rt_log_setup(LOG_WARNING, false, 2);
    arena_init(&x.arena, 65536, (size_t)4 << 30);
    int status = open_spool(t->conf, true, &dir, &lock);
    if (status == EX_OK)
        status = export_spool(&x, dir);
    free(x.v);
    arena_free(&x.arena);
    return status;
}

/* ---- spool dump ---- */

static void dump_line(void *arg, str text)
{
    (void)arg;
    fwrite(text.p, 1, text.n, stdout);
    putchar('\n');
}

int cli_spool(int argc, char **argv)
{
    AUTO_FD dir = -1;
    int status = EX_OK, lock;
    const char *file = cli_config_file(&argc, argv);
    if (!file || argc != 2 || !str_eq(str_c(argv[1]), S("dump")))
        return cli_fail(EX_USAGE, "usage: postrider spool dump -c FILE");
    struct conf *c = cli_conf(file, &status);
    if (c)
        status = open_spool(c, false, &dir, &lock);
    if (c && status == EX_OK) {
        err e = spool_dump(dir, dump_line, NULL);
        status = e ? cli_fail(EX_IOERR, "the spool cannot be read: %s", err_text(e)) : EX_OK;
    }
    conf_drop(&c);
    return fflush(stdout) ? EX_IOERR : status;
}
